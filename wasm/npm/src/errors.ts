/** Every error of this package is one of these; `code` is stable, `message` is for a person. */
export class IsopointError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = "IsopointError";
    this.code = code;
  }
}

export type ErrorCode =
  /** The engine was closed. */
  | "closed"
  /** The call was cancelled by its AbortSignal. */
  | "aborted"
  /** The source does not answer, or answers with an error. */
  | "source"
  /** A query would fetch more bytes than `fetchBudget`. */
  | "budget"
  /** The request was refused: bad InfluxQL, unknown database, a limit. */
  | "request"
  /** Bytes from the source are not what they should be. */
  | "damaged"
  /** The device's storage cannot be used: none is there, it is full, or it fails. */
  | "storage"
  /** Another tab has the same local databases open. */
  | "locked"
  /** The module could not be loaded. */
  | "load"
  /** Never seen outside the package: the reader cannot do it, so the full module is loaded. */
  | "beyond"
  /** The engine stopped; open a new one. */
  | "crashed";

/** What crosses from the Worker: errors lose their class on the way. */
export interface ErrorData {
  code: ErrorCode;
  message: string;
}

export function errorData(error: unknown): ErrorData {
  if (error instanceof IsopointError) return { code: error.code, message: error.message };
  if (error instanceof WebAssembly.RuntimeError) return { code: "crashed", message: `the engine stopped: ${error.message}` };
  if (error instanceof DOMException && (error.name === "AbortError" || error.name === "TimeoutError")) return { code: "aborted", message: "aborted" };
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : String(error);
  return { code: typeof code === "string" ? (code as ErrorCode) : "request", message };
}
