import { BlockCache } from "./cache.js";
import type { Core, CoreStats, Extent, FrameData, FullCore, Turn } from "./core.js";
import { IsopointError } from "./errors.js";
import { Follower, hold } from "./follower.js";
import { Transport } from "./transport.js";
import type {
  ApiRequest,
  ApiResponse,
  EngineEvent,
  EngineStats,
  PrefetchResult,
  QueryOptions,
  QueryStats,
  SeriesData,
  StatementData,
  SyncStatus,
  WriteOptions,
  WriteResult,
} from "./types.js";

/** Rows of one slice: about 4 ms, after which other calls get their turn. */
const SLICE_ROWS = 500_000;

export interface HostOptions {
  source: string | null;
  databases: string[];
  cacheBytes: number;
  fetchBudget: number;
}

export interface QueryData {
  results: StatementData[];
  stats: QueryStats;
}

/** A module at work. */
export interface Instance {
  extent: Extent;
  core: Core;
  memory: WebAssembly.Memory;
  version: string;
}

/** The engine in this thread: a module instance, its cache and its followers. */
export class Host {
  private readonly cache: BlockCache;
  private readonly transport: Transport | null;
  private followers = new Map<string, Follower>();
  private closed = false;
  /** Tasks under way, by the core they run on. */
  private readonly running = new Map<Core, number>();

  constructor(
    private instance: Instance,
    private readonly instantiate: (extent: Extent, module: WebAssembly.Module) => Instance,
    private readonly options: HostOptions,
    private readonly emit: (event: EngineEvent) => void,
  ) {
    this.cache = new BlockCache(options.cacheBytes);
    this.transport = options.source === null ? null : new Transport(options.source);
    for (const database of options.databases) this.follow(database);
  }

  private get core(): Core {
    return this.instance.core;
  }

  private get full(): FullCore {
    if (this.instance.extent !== "full") throw new IsopointError("beyond", "the reader answers queries only");
    return this.instance.core as FullCore;
  }

  /**
   * Goes on with the full module. What the reader followed is followed anew, and the reader answers until that stands;
   * a source that does not answer leaves all as it is.
   */
  async extend(module: WebAssembly.Module): Promise<void> {
    this.open();
    if (this.instance.extent === "full") return;
    const full = this.instantiate("full", module);
    const followers = new Map<string, Follower>();
    try {
      // Queries may begin to follow databases meanwhile.
      for (;;) {
        const left = [...this.followers.keys()].filter((database) => !followers.has(database));
        if (left.length === 0) break;
        for (const database of left) followers.set(database, this.follower(database, full.core));
        // One that the reader has nothing of has nothing to wait for.
        const known = left.filter((database) => this.followers.get(database)!.lastHeard !== null);
        await Promise.all(known.map((database) => followers.get(database)!.ready));
      }
      this.open();
    } catch (error) {
      for (const follower of followers.values()) follower.stop();
      full.core.free();
      throw error;
    }
    for (const follower of this.followers.values()) follower.stop();
    const reader = this.core;
    this.instance = full;
    this.followers = followers;
    if (!this.running.has(reader)) reader.free();
    this.emit({ type: "status", status: this.status() });
  }

  write(lines: string | Uint8Array, options: WriteOptions): WriteResult {
    this.open();
    if (this.followers.has(options.database)) {
      throw new IsopointError("request", `${options.database} is a replica; write to ${this.options.source} instead`);
    }
    const body = typeof lines === "string" ? new TextEncoder().encode(lines) : lines;
    const result = this.full.write(body, options.database, options.policy, options.precision ?? "n", nanos());
    if (result.points > 0) this.emit({ type: "points", database: options.database, points: result.points });
    return result;
  }

  async query(text: string, options: QueryOptions, signal?: AbortSignal): Promise<QueryData> {
    this.open();
    if (options.database !== undefined) await this.ready(options.database);
    const statements = new Map<number, StatementData>();
    const parts: FrameData[] = [];
    const statement = (number: number): StatementData => {
      const known = statements.get(number) ?? { statement: number, series: [] };
      statements.set(number, known);
      return known;
    };
    const task = this.core.query(text, options.database, nanos(options.now));
    const stats = await this.run(task, signal, (turn) => {
      if (turn.kind === "failed") statement(turn.statement).error = turn.error;
      if (turn.kind !== "frame") return;
      parts.push(turn.frame);
      if (!turn.frame.more) statement(turn.frame.statement).series.push(join(parts.splice(0)));
    });
    return { results: [...statements.values()].sort((a, b) => a.statement - b.statement), stats };
  }

  /** Fetches the columns that a query reads, so that narrower and finer ones need nothing more. */
  async prefetch(text: string, options: QueryOptions, signal?: AbortSignal): Promise<PrefetchResult> {
    this.open();
    if (options.database !== undefined) await this.ready(options.database);
    const ranges = this.core.needs(text, options.database, nanos(options.now));
    const cost = await hold(ranges, this.cache, this.transport, this.options.fetchBudget, signal);
    return { ...cost, bytesNeeded: ranges.reduce((sum, range) => sum + range.len, 0) };
  }

  async exchange(request: ApiRequest, now?: number, signal?: AbortSignal): Promise<ApiResponse> {
    this.open();
    const [path = "", query = ""] = request.url.split(/\?(.*)/s);
    const database = new URLSearchParams(query).get("db");
    if (database !== null) await this.ready(database);
    const body = typeof request.body === "string" ? new TextEncoder().encode(request.body) : (request.body ?? new Uint8Array(0));
    const headers = Object.entries(request.headers ?? {}).map(([name, value]): [string, string] => [name.toLowerCase(), value]);
    const task = this.full.open(request.method.toUpperCase(), path, query, headers, body, nanos(now));
    let head = { status: 500, headers: [] as [string, string][] };
    const chunks: Uint8Array[] = [];
    const stats = await this.run(task, signal, (turn) => {
      if (turn.kind === "head") head = { status: turn.status, headers: turn.headers };
      if (turn.kind === "chunk") chunks.push(turn.bytes);
    });
    return { ...head, body: joinBytes(chunks), stats };
  }

  /** Starts to follow a database if need be, and waits until the replica answers. */
  async sync(database: string): Promise<SyncStatus> {
    this.open();
    if (!this.transport) throw new IsopointError("source", "this engine has no source");
    await this.follow(database).ready;
    return this.status();
  }

  status(): SyncStatus {
    const followers = [...this.followers.values()];
    const states = followers.map((follower) => follower.state);
    const state = !this.transport ? "local" : states.includes("offline") ? "offline" : states.includes("connecting") || states.length === 0 ? "connecting" : "live";
    const error = followers.find((follower) => follower.error !== null)?.error;
    const heard = followers.flatMap((follower) => follower.lastHeard ?? []);
    const stats = this.closed ? null : this.core.stats();
    return {
      state,
      source: this.options.source,
      databases: followers.map((follower) => follower.database),
      files: stats?.files.length ?? 0,
      bytesTotal: stats?.filesBytes ?? 0,
      bytesHeld: this.cache.bytesHeld,
      bytesFetched: this.transport?.bytesFetched ?? 0,
      tailBytes: this.transport?.tailBytes ?? 0,
      requests: this.transport?.requests ?? 0,
      lastHeard: heard.length > 0 ? Math.max(...heard) : null,
      ...(error != null ? { error } : {}),
    };
  }

  /** Names of the source's databases, or of the local ones. */
  async databases(): Promise<string[]> {
    this.open();
    return this.transport ? await this.transport.databases() : this.core.stats().databases;
  }

  stats(): EngineStats {
    this.open();
    const { series, databases } = this.core.stats();
    return { version: this.instance.version, memoryBytes: this.instance.memory.buffer.byteLength, databases, series, sync: this.status() };
  }

  close(): void {
    if (this.closed) return;
    for (const follower of this.followers.values()) follower.stop();
    this.closed = true;
    this.core.free();
  }

  private open(): void {
    if (this.closed) throw new IsopointError("closed", "the engine is closed");
  }

  private follow(database: string): Follower {
    const known = this.followers.get(database);
    if (known) return known;
    const follower = this.follower(database, this.core);
    this.followers.set(database, follower);
    return follower;
  }

  private follower(database: string, core: Core): Follower {
    // One that is not in force, or no more, has nothing to say.
    const changed = (what: "status" | "points", points: number): void => {
      if (this.closed || this.followers.get(database) !== follower) return;
      this.emit(what === "points" ? { type: "points", database, points } : { type: "status", status: this.status() });
    };
    if (!this.transport) throw new IsopointError("source", "this engine has no source");
    const follower: Follower = new Follower(database, core, this.transport, this.cache, changed);
    return follower;
  }

  /** With a source, a database is followed from its first query on. Local databases need nothing. */
  private async ready(database: string): Promise<void> {
    if (!this.transport || (!this.followers.has(database) && this.core.stats().databases.includes(database))) return;
    const follower = this.follow(database);
    // Once it has answered, it answers offline too.
    if (follower.lastHeard === null || follower.state === "connecting") await follower.ready;
  }

  /** Turns a task until it is done, fetching what it reads. */
  private async run(task: number, signal: AbortSignal | undefined, take: (turn: Turn) => void): Promise<QueryStats> {
    const began = performance.now();
    const core = this.core;
    this.running.set(core, (this.running.get(core) ?? 0) + 1);
    let [bytesFetched, requests] = [0, 0];
    try {
      for (;;) {
        if (signal?.aborted) throw new IsopointError("aborted", "aborted");
        this.open();
        const turn = core.turn(task, SLICE_ROWS);
        if (turn.kind === "read") {
          const cost = await hold(turn.ranges, this.cache, this.transport, this.options.fetchBudget, signal);
          bytesFetched += cost.bytesFetched;
          requests += cost.requests;
          core.supply(task, turn.ranges.map((range) => this.cache.get(range) ?? missing(range.file)));
        } else if (turn.kind === "yield") {
          await new Promise((resolve) => setTimeout(resolve, 0));
        } else if (turn.kind === "done") {
          return { where: "page", millis: performance.now() - began, bytesFetched, requests, ...(turn.stats satisfies CoreStats) };
        } else if (turn.kind === "beyond") {
          throw new IsopointError("beyond", "the reader cannot do this");
        } else {
          take(turn);
        }
      }
    } finally {
      if (!this.closed) this.leave(core, task);
    }
  }
  /** Ends a task. A reader that another module has followed goes with its last. */
  private leave(core: Core, task: number): void {
    core.cancel(task);
    const left = (this.running.get(core) ?? 1) - 1;
    if (left > 0) {
      this.running.set(core, left);
      return;
    }
    this.running.delete(core);
    if (core !== this.core) core.free();
  }
}

function missing(file: string): never {
  throw new IsopointError("budget", `${file} does not fit the cache; raise cacheBytes`);
}

function nanos(millis: number = Date.now()): bigint {
  return BigInt(Math.round(millis * 1000)) * 1000n;
}

/** Frames of one group, end to end. */
function join(parts: FrameData[]): SeriesData {
  const first = parts[0]!;
  const tags = Object.fromEntries(first.tags);
  if (parts.length === 1) return { name: first.name, tags, times: first.times, columns: first.columns };
  const rows = parts.reduce((sum, part) => sum + part.times.length, 0);
  const times = new BigInt64Array(rows);
  let at = 0;
  for (const part of parts) {
    times.set(part.times, at);
    at += part.times.length;
  }
  const columns = first.columns.map((column, number) => {
    const pieces = parts.map((part) => part.columns[number]!);
    let values: typeof column.values;
    if (Array.isArray(column.values)) {
      values = pieces.flatMap((piece) => piece.values as string[]);
    } else {
      const Typed = column.values.constructor as new (length: number) => Float64Array;
      const joined = new Typed(rows);
      let row = 0;
      for (const piece of pieces) {
        joined.set(piece.values as Float64Array, row);
        row += piece.values.length;
      }
      values = joined;
    }
    let present: Uint8Array | null = null;
    if (pieces.some((piece) => piece.present !== null)) {
      present = new Uint8Array(rows).fill(1);
      let row = 0;
      for (const piece of pieces) {
        if (piece.present) present.set(piece.present, row);
        row += piece.values.length;
      }
    }
    return { name: column.name, type: column.type, values, present };
  });
  return { name: first.name, tags, times, columns };
}

function joinBytes(chunks: Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
