import type { Extent } from "./core.js";
import type { HostOptions } from "./host.js";
import type { ErrorData } from "./errors.js";
import type { EngineEvent, Progress } from "./types.js";

/** What the page sends to the Worker. */
export type Call =
  | { type: "open"; extent: Extent; module: WebAssembly.Module; options: HostOptions }
  | { type: "call"; id: number; method: Method; args: unknown[] }
  | { type: "abort"; id: number };

/** What the Worker sends back. */
export type Reply =
  | { type: "opened" }
  | { type: "failed"; error: ErrorData }
  | { type: "done"; id: number; value: unknown }
  | { type: "error"; id: number; error: ErrorData }
  | { type: "progress"; id: number; progress: Progress }
  | { type: "event"; event: EngineEvent };

/** The methods of the host that a client may call. Those in `CANCELLABLE` take a {@link Watch} as their last argument. */
export type Method = "extend" | "write" | "query" | "prefetch" | "blocks" | "snapshot" | "exchange" | "verify" | "sync" | "status" | "databases" | "stats" | "close";

export const CANCELLABLE: ReadonlySet<Method> = new Set(["write", "query", "prefetch", "blocks", "snapshot", "exchange", "verify", "sync", "databases"]);

/** What a caller may do while a call is under way: end it, and look on. */
export interface Watch {
  signal?: AbortSignal;
  progress?(progress: Progress): void;
}

/** The buffers of a value, to be moved rather than copied to the other thread. */
export function buffersOf(value: unknown, found: Set<ArrayBuffer> = new Set()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (Array.isArray(value)) {
    if (typeof value[0] === "object") for (const item of value) buffersOf(item, found);
  } else if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) buffersOf(item, found);
  }
  return found;
}
