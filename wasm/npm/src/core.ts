import type { ByteRange } from "./cache.js";
import type { FieldType, ColumnValues, WriteResult } from "./types.js";

/** Which of the package's two modules: what reads a source, or all of the engine. */
export type Extent = "reader" | "full";

/** What one turn of a task came to. */
export type Turn =
  | { kind: "head"; status: number; headers: [string, string][] }
  | { kind: "chunk"; bytes: Uint8Array }
  | { kind: "read"; ranges: ByteRange[] }
  | { kind: "frame"; frame: FrameData }
  | { kind: "failed"; statement: number; error: string }
  | { kind: "yield" }
  | ({ kind: "wrote" } & WriteResult)
  /** A write ended with an error. */
  | { kind: "refused"; error: string }
  /** Files of local databases are to be written first. */
  | { kind: "store" }
  /** The reader cannot do it; the full module can. */
  | { kind: "beyond" }
  | { kind: "done"; stats: CoreStats };

export interface FrameData {
  statement: number;
  name: string;
  tags: [string, string][];
  times: BigInt64Array;
  columns: { name: string; type: FieldType; values: ColumnValues; present: Uint8Array | null }[];
  /** More rows of this group follow. */
  more: boolean;
}

export interface CoreStats {
  series: number;
  points: number;
  rows: number;
  blocksFromHeader: number;
  blocksDecoded: number;
  blocksPruned: number;
}

export interface TailResult {
  /** Bytes taken, whole frames only. */
  used: number;
  points: number;
  /** A manifest was taken: ask `wants` before going on. */
  manifest: boolean;
  /** The replica answers for everything the source had when the tail began. */
  caughtUp: boolean;
}

/** The reader's own class, with the types that its glue calls `any`. Throws `Error`s with a `code`. */
export interface Core {
  /** Begins to run InfluxQL into frames. */
  query(text: string, database: string | undefined, now: bigint): number;
  /** The column bytes a query would read if no header could answer. */
  needs(text: string, database: string | undefined, now: bigint): ByteRange[];
  turn(task: number, rows: number): Turn;
  supply(task: number, parts: Uint8Array[]): void;
  fail(task: number, why: string): void;
  cancel(task: number): void;
  begin(database: string): void;
  tail(database: string, bytes: Uint8Array): TailResult;
  wants(database: string): ByteRange[];
  give(database: string, parts: Uint8Array[]): void;
  /** The block files that the manifest at the start of a tail names. */
  filesOf(tail: Uint8Array): { name: string; size: number }[];
  forget(database: string): void;
  stats(): { series: number; databases: string[]; files: string[]; filesBytes: number };
  free(): void;
}

/** What a store wants done with a file; see the core's `Action`. */
export type FileAction =
  | { do: "append" | "put"; file: string; bytes: Uint8Array }
  | { do: "sync" | "delete"; file: string }
  | { do: "truncate"; file: string; len: number }
  | { do: "rename"; file: string; to: string };

/** The full module's class. */
export interface FullCore extends Core {
  /** Begins to store line protocol; gives the task. */
  write(body: Uint8Array, database: string, policy: string | undefined, precision: string, now: bigint): number;
  /** Opens what was kept of local databases; they are kept from then on. */
  recover(names: string[], parts: Uint8Array[], now: bigint): void;
  action(now: bigint): FileAction | undefined;
  did(why: string | undefined, now: bigint): void;
  /** Begins to answer an API request; gives the task. */
  open(method: string, path: string, query: string, headers: [string, string][], body: Uint8Array, now: bigint): number;
}
