/** The type of a field, as InfluxDB names them. */
export type FieldType = "float" | "integer" | "unsigned" | "boolean" | "string";

/** Values of one column, one a row. Integers are `bigint` since they have 64 bits. */
export type ColumnValues = Float64Array | BigInt64Array | BigUint64Array | Uint8Array | string[];

/** A column of an answer. */
export interface ColumnData {
  name: string;
  type: FieldType;
  /** One slot a row; a slot whose row has no value holds zero, `0n` or the empty text. Booleans are 0 and 1. */
  values: ColumnValues;
  /** One byte a row, 1 where there is a value; `null` when every row has one. */
  present: Uint8Array | null;
}

/** Rows of one group of series. */
export interface SeriesData {
  name: string;
  /** The tags of GROUP BY. */
  tags: Record<string, string>;
  /** Nanoseconds since 1970-01-01T00:00:00Z, ascending unless the query says otherwise. */
  times: BigInt64Array;
  columns: ColumnData[];
}

/** What one statement gave. */
export interface StatementData {
  statement: number;
  series: SeriesData[];
  /** In InfluxDB's words; rows found before it may still be in `series`. */
  error?: string;
}

/** What answering took. */
export interface QueryStats {
  /** Where it was computed. */
  where: "page" | "server";
  millis: number;
  /** Rows of stored points looked at. */
  points: number;
  rows: number;
  series: number;
  blocksFromHeader: number;
  blocksDecoded: number;
  blocksPruned: number;
  /** Bytes and requests that this very answer had to fetch; 0 when all was in the page. */
  bytesFetched: number;
  requests: number;
}

export interface WriteResult {
  points: number;
  values: number;
  /** Points refused; the rest is stored. */
  dropped: number;
  /** In InfluxDB's words, when lines were malformed or points refused. */
  error?: string;
}

/** Where the replica stands. */
export interface SyncStatus {
  /** `local`: no source. `snapshot`: the source is one, and never changes. `offline`: the source does not answer; what is in the page still does. */
  state: "local" | "snapshot" | "connecting" | "live" | "offline";
  source: string | null;
  databases: string[];
  /** Live block files of all followed databases, and their size at the server. */
  files: number;
  bytesTotal: number;
  /** Bytes of block files that are in the page. */
  bytesHeld: number;
  /** Bytes of block files that are on the device, for later visits and other tabs. */
  bytesOnDevice: number;
  /** Fetched since `open`: block bytes, the tail's bytes, requests. */
  bytesFetched: number;
  tailBytes: number;
  requests: number;
  /** Milliseconds since 1970 of the last word from the source; `null` before the first. */
  lastHeard: number | null;
  /** Why it is offline. */
  error?: string;
}

/** Where what the engine holds is kept. */
export type Persistence =
  /** Nowhere else: gone with the page. */
  | "memory"
  /** In the origin's private file system (OPFS), or in IndexedDB where that cannot be written. */
  | "device"
  | "opfs"
  | "indexeddb";

/** How far fetching has come that a call waits for. */
export interface Progress {
  bytesFetched: number;
  bytesToFetch: number;
}

/** A part of a block file. */
export interface BlockRange {
  file: string;
  offset: number;
  len: number;
}

/** Whether this page and the source answer alike. */
export interface Verification {
  equal: boolean;
  /** `sha-256=<hex>` of what was computed here, and of what the source says that it sent. */
  here: string;
  there: string;
  /** Of the body computed here. */
  bytes: number;
}

export interface EngineStats {
  version: string;
  /** Bytes of the module's memory. */
  memoryBytes: number;
  databases: string[];
  series: number;
  sync: SyncStatus;
}

/** A request as the server would get it. */
export interface ApiRequest {
  method: string;
  /** Path and query, such as `/query?db=d&q=SELECT…`. */
  url: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

export interface ApiResponse {
  status: number;
  headers: [string, string][];
  body: Uint8Array;
  /** `sha-256=<hex>` of the body, as in the server's `X-Answer-Hash`; empty where the page has no `crypto.subtle`. */
  hash: string;
  stats: QueryStats;
}

/** Where a module is: address, response, bytes, or compiled. */
export type WasmFile = string | URL | Response | BufferSource | WebAssembly.Module;

export interface OpenOptions {
  /** Address of an Isopoint server to replicate from, or a snapshot. Absent: the engine is on its own. */
  source?: string | Uint8Array;
  /** Databases to follow from the start; others on their first query. */
  databases?: string[];
  /**
   * The module to begin with. `reader`, the default with a `source`, is less than half of `full`, and reads: `query`,
   * `prefetch`, `sync`. The first call that needs more (`write`, `exchange`, `points`, a statement beyond the reader)
   * loads `full`, and moves what is in the page over to it. Without a `source` there is nothing to read, so it is `full`.
   */
  module?: "reader" | "full";
  /** The `.wasm` files, when the bundler put them elsewhere. A single one is the full module, and the reader is not used. */
  wasm?: WasmFile | { reader: WasmFile; full: WasmFile };
  /** Run in a Worker (default in a browser) or in this thread (default elsewhere). */
  worker?: boolean | Worker;
  /**
   * `memory`, the default, or `device`: block files fetched from the source stay on the device and are shared by the
   * tabs of this origin; databases of the page's own are kept there, and what a write has acknowledged survives a crash.
   */
  persistence?: Persistence;
  /** Tells stores of one origin apart; default `default`. */
  name?: string;
  /** Bytes of block files to keep on the device; default 512 MiB. What was fetched longest ago goes first. */
  deviceBytes?: number;
  /** Ends opening. */
  signal?: AbortSignal;
  /** Bytes of block columns to keep in the page; default 128 MiB. */
  cacheBytes?: number;
  /** Bytes one query may fetch before it is refused; default 64 MiB. */
  fetchBudget?: number;
}

export interface QueryOptions {
  /** Default database of the statements. */
  database?: string;
  /** Milliseconds since 1970; default: the clock, read once. */
  now?: number;
  signal?: AbortSignal;
  /** Told as bytes come that the query has to fetch. */
  onProgress?(progress: Progress): void;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Milliseconds since 1970; default: the clock, read once. */
  now?: number;
}

export interface WriteOptions {
  signal?: AbortSignal;
  database: string;
  precision?: "n" | "u" | "ms" | "s" | "m" | "h";
  /** Retention policy. */
  policy?: string;
}

/** What `prefetch` brought. */
export interface PrefetchResult {
  bytesFetched: number;
  requests: number;
  /** Bytes of the columns the query needs, held or fetched. */
  bytesNeeded: number;
}

export type EngineEvent =
  /** The replica's status changed. */
  | { type: "status"; status: SyncStatus }
  /** New points or files of a database are in the page. */
  | { type: "points"; database: string; points: number };
