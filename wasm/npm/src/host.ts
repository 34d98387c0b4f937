import { BlockCache } from "./cache.js";
import type { Core, CoreStats, Extent, FrameData, FullCore, Turn } from "./core.js";
import { IsopointError } from "./errors.js";
import { Follower, hold, type Holding } from "./follower.js";
import { Keeper } from "./keeper.js";
import type { Watch } from "./messages.js";
import { Shelf } from "./shelf.js";
import { type Snapshot, wholeFrames, writeSnapshot } from "./snapshot.js";
import { HttpTransport, SnapshotTransport, type Transport } from "./transport.js";
import type {
  ApiRequest,
  ApiResponse,
  BlockRange,
  EngineEvent,
  EngineStats,
  Persistence,
  PrefetchResult,
  QueryStats,
  SeriesData,
  StatementData,
  SyncStatus,
  Verification,
  WriteOptions,
  WriteResult,
} from "./types.js";

/** Rows of one slice: about 4 ms, after which other calls get their turn. */
const SLICE_ROWS = 500_000;

/** What of a query's options crosses to the Worker. */
export interface QueryText {
  database?: string;
  now?: number;
}

export interface HostOptions {
  source: string | Snapshot | null;
  databases: string[];
  cacheBytes: number;
  fetchBudget: number;
  persistence: Persistence;
  /** Of the stores on the device. */
  name: string;
  deviceBytes: number;
}

/** The database that Datadog's API reads. */
const DATADOG = "datadog";
const DATADOG_QUERY = "/api/v1/query";
const FACETTE_POINTS = "/api/v1/series/points";

/** The origins that an inline graph names; a body that is no such request is the API's to refuse. */
function originsOf(body: Uint8Array): string[] {
  try {
    const { graph } = JSON.parse(new TextDecoder().decode(body)) as { graph?: { groups?: { series?: { origin?: unknown }[] }[] } };
    const origins = (graph?.groups ?? []).flatMap(({ series = [] }) => series.map(({ origin }) => origin));
    return [...new Set(origins.filter((origin): origin is string => typeof origin === "string"))];
  } catch {
    return [];
  }
}

const NOTHING_READ: CoreStats = { series: 0, points: 0, rows: 0, blocksFromHeader: 0, blocksDecoded: 0, blocksPruned: 0 };

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
  private keeper: Keeper | null = null;
  private followers = new Map<string, Follower>();
  private closed = false;
  /** Tasks under way, by the core they run on. */
  private readonly running = new Map<Core, number>();

  static async open(
    instance: Instance,
    instantiate: (extent: Extent, module: WebAssembly.Module) => Instance,
    options: HostOptions,
    emit: (event: EngineEvent) => void,
  ): Promise<Host> {
    const { persistence, source, name, deviceBytes } = options;
    const shelf = persistence === "memory" || typeof source !== "string" ? null : await Shelf.open(persistence, name, deviceBytes);
    const host = new Host(instance, instantiate, options, emit, shelf);
    try {
      if (instance.extent === "full") host.keeper = await host.keep(host.full);
      return host;
    } catch (error) {
      host.close();
      throw error;
    }
  }

  private constructor(
    private instance: Instance,
    private readonly instantiate: (extent: Extent, module: WebAssembly.Module) => Instance,
    private readonly options: HostOptions,
    private readonly emit: (event: EngineEvent) => void,
    private readonly shelf: Shelf | null,
  ) {
    this.cache = new BlockCache(options.cacheBytes);
    const { source } = options;
    this.transport = source === null ? null : typeof source === "string" ? new HttpTransport(source) : new SnapshotTransport(source);
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
    let keeper: Keeper | null = null;
    try {
      keeper = await this.keep(full.core as FullCore);
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
      keeper?.close();
      full.core.free();
      throw error;
    }
    for (const follower of this.followers.values()) follower.stop();
    const reader = this.core;
    this.instance = full;
    this.keeper = keeper;
    this.followers = followers;
    if (!this.running.has(reader)) reader.free();
    this.emit({ type: "status", status: this.status() });
  }

  /** What local databases hold is kept on the device, when that was asked for. */
  private keep(core: FullCore): Promise<Keeper | null> {
    const { persistence, name } = this.options;
    return persistence === "memory" ? Promise.resolve(null) : Keeper.open(core, persistence, name);
  }

  async write(lines: string | Uint8Array, options: WriteOptions, watch: Watch = {}): Promise<WriteResult> {
    this.open();
    if (this.followers.has(options.database)) {
      throw new IsopointError("request", `${options.database} is a replica; write to ${this.transport?.source} instead`);
    }
    const body = typeof lines === "string" ? new TextEncoder().encode(lines) : lines;
    const task = this.full.write(body, options.database, options.policy, options.precision ?? "n", nanos());
    let result: WriteResult | null = null;
    await this.run(task, watch, ({ kind, ...turn }) => {
      if (kind === "wrote") result = turn as unknown as WriteResult;
    });
    const { points } = (result ??= { points: 0, values: 0, dropped: 0 }) as WriteResult;
    if (points > 0) this.emit({ type: "points", database: options.database, points });
    return result;
  }

  async query(text: string, options: QueryText, watch: Watch = {}): Promise<QueryData> {
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
    const stats = await this.run(task, watch, (turn) => {
      if (turn.kind === "failed") statement(turn.statement).error = turn.error;
      if (turn.kind !== "frame") return;
      parts.push(turn.frame);
      if (!turn.frame.more) statement(turn.frame.statement).series.push(join(parts.splice(0)));
    });
    return { results: [...statements.values()].sort((a, b) => a.statement - b.statement), stats };
  }

  /** Fetches the columns that a query reads, so that narrower and finer ones need nothing more. */
  async prefetch(text: string, options: QueryText, watch: Watch = {}): Promise<PrefetchResult> {
    this.open();
    if (options.database !== undefined) await this.ready(options.database);
    const ranges = this.core.needs(text, options.database, nanos(options.now));
    const cost = await hold(ranges, this.holding, watch);
    return { ...cost, bytesNeeded: ranges.reduce((sum, range) => sum + range.len, 0) };
  }

  /** The parts of block files that a query reads. */
  async blocks(text: string, options: QueryText): Promise<BlockRange[]> {
    this.open();
    if (options.database !== undefined) await this.ready(options.database);
    return this.core.needs(text, options.database, nanos(options.now));
  }

  async exchange(request: ApiRequest, now?: number, watch: Watch = {}): Promise<ApiResponse> {
    this.open();
    const [path = "", query = ""] = request.url.split(/\?(.*)/s);
    const sent = typeof request.body === "string" ? new TextEncoder().encode(request.body) : (request.body ?? new Uint8Array(0));
    const named = new URLSearchParams(query).get("db");
    if (named !== null) await abortable(this.ready(named), watch.signal);
    if (this.transport) await abortable(this.readyFor(path, sent), watch.signal);
    const headers = Object.entries(request.headers ?? {}).map(([name, value]): [string, string] => [name.toLowerCase(), value]);
    const method = request.method.toUpperCase();
    const task = this.full.open(method, path, query, headers, sent, nanos(now));
    let head = { status: 500, headers: [] as [string, string][] };
    const chunks: Uint8Array[] = [];
    const stats = await this.run(task, watch, (turn) => {
      if (turn.kind === "head") head = { status: turn.status, headers: turn.headers };
      // What HTTP would not send either.
      if (turn.kind === "chunk" && method !== "HEAD") chunks.push(turn.bytes);
    });
    const body = joinBytes(chunks);
    if (path === "/write" && head.status === 204 && named !== null) this.emit({ type: "points", database: named, points: stats.points });
    return { ...head, body, hash: await hashOf(body), stats };
  }

  /** Answers a request here and lets the source answer it; says whether that is the same. */
  async verify(request: ApiRequest, watch: Watch = {}): Promise<Verification> {
    if (!this.transport) throw new IsopointError("source", "this engine has no source");
    const { signal } = watch;
    const [here, there] = await Promise.all([this.exchange(request, undefined, watch), this.transport.answer(request, signal)]);
    const [computed, said] = [here.hash, there.hash ?? (await hashOf(there.body))];
    const same = here.status === there.status && here.body.length === there.body.length && here.body.every((byte, at) => byte === there.body[at]);
    return { equal: same && computed === said, here: computed, there: said, bytes: here.body.length };
  }

  /** A database of the source in one piece: all its block files, and what is in none yet. */
  async snapshot(database: string, watch: Watch = {}): Promise<Uint8Array> {
    this.open();
    const { transport } = this;
    if (!transport) throw new IsopointError("source", "this engine has no source");
    const taken = Date.now();
    const end = new AbortController();
    const ended = watch.signal ? AbortSignal.any([watch.signal, end.signal]) : end.signal;
    let tail = new Uint8Array(0);
    for await (const chunk of transport.tail(database, ended)) {
      tail = joinBytes([tail, chunk]) as Uint8Array<ArrayBuffer>;
      const { used, clock } = wholeFrames(tail);
      if (!clock) continue;
      tail = tail.slice(0, used);
      break;
    }
    end.abort();
    if (tail.length === 0) throw new IsopointError("source", "the source ended before it had told all");
    const names = this.core.filesOf(tail);
    const bytesToFetch = names.reduce((sum, { size }) => sum + size, 0);
    let bytesFetched = 0;
    const files = new Map<string, Uint8Array>();
    for (const { name, size } of names) {
      const range = { file: name, offset: 0, len: size };
      files.set(name, size === 0 ? new Uint8Array(0) : await transport.range(range, watch.signal));
      bytesFetched += size;
      watch.progress?.({ bytesFetched, bytesToFetch });
    }
    return writeSnapshot({ database, taken, tail, files });
  }

  /** Starts to follow a database if need be, and waits until the replica answers. */
  async sync(database: string, { signal }: Watch = {}): Promise<SyncStatus> {
    this.open();
    if (!this.transport) throw new IsopointError("source", "this engine has no source");
    await abortable(this.follow(database).ready, signal);
    return this.status();
  }

  status(): SyncStatus {
    const followers = [...this.followers.values()];
    const states = followers.map((follower) => follower.state);
    const state = !this.transport ? "local" : this.transport instanceof SnapshotTransport ? "snapshot" : states.includes("offline") ? "offline" : states.includes("connecting") || states.length === 0 ? "connecting" : "live";
    const error = followers.find((follower) => follower.error !== null)?.error;
    const heard = followers.flatMap((follower) => follower.lastHeard ?? []);
    const stats = this.closed ? null : this.core.stats();
    return {
      state,
      source: this.transport?.source ?? null,
      databases: followers.map((follower) => follower.database),
      files: stats?.files.length ?? 0,
      bytesTotal: stats?.filesBytes ?? 0,
      bytesHeld: this.cache.bytesHeld,
      bytesOnDevice: this.shelf?.bytesHeld ?? 0,
      bytesFetched: this.transport?.bytesFetched ?? 0,
      tailBytes: this.transport?.tailBytes ?? 0,
      requests: this.transport?.requests ?? 0,
      lastHeard: heard.length > 0 ? Math.max(...heard) : null,
      ...(error != null ? { error } : {}),
    };
  }

  /** Names of the source's databases, or of the local ones. */
  async databases({ signal }: Watch = {}): Promise<string[]> {
    this.open();
    return this.transport ? await this.transport.databases(signal) : this.core.stats().databases;
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
    this.keeper?.close();
    this.shelf?.close();
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
    const follower: Follower = new Follower(database, core, this.transport, this.cache, this.shelf, changed);
    return follower;
  }

  /** With a source, a database is followed from its first query on. Local databases need nothing. */
  private async ready(database: string): Promise<void> {
    if (!this.transport || (!this.followers.has(database) && this.core.stats().databases.includes(database))) return;
    const follower = this.follow(database);
    // Once it has answered, it answers offline too.
    if (follower.lastHeard === null || follower.state === "connecting") await follower.ready;
  }

  /** Follows the databases that a request reads without naming them in its address, as far as the source has them. */
  private async readyFor(path: string, body: Uint8Array): Promise<void> {
    const wanted = path === DATADOG_QUERY ? [DATADOG] : path === FACETTE_POINTS ? originsOf(body) : [];
    const unknown = wanted.filter((database) => !this.followers.has(database));
    const there = unknown.length === 0 ? [] : await this.databases().catch((): string[] => []);
    await Promise.all(wanted.filter((database) => this.followers.has(database) || there.includes(database)).map((database) => this.ready(database)));
  }

  private get holding(): Holding {
    return { cache: this.cache, shelf: this.shelf, transport: this.transport, budget: this.options.fetchBudget };
  }

  /** Turns a task until it is done, fetching what it reads. */
  private async run(task: number, watch: Watch, take: (turn: Turn) => void): Promise<QueryStats> {
    const began = performance.now();
    const core = this.core;
    this.running.set(core, (this.running.get(core) ?? 0) + 1);
    let [bytesFetched, requests] = [0, 0];
    try {
      for (;;) {
        if (watch.signal?.aborted) throw new IsopointError("aborted", "aborted");
        this.open();
        const turn = core.turn(task, SLICE_ROWS);
        if (turn.kind === "read") {
          const cost = await hold(turn.ranges, this.holding, watch);
          bytesFetched += cost.bytesFetched;
          requests += cost.requests;
          core.supply(task, turn.ranges.map((range) => this.cache.get(range) ?? missing(range.file)));
        } else if (turn.kind === "yield") {
          await new Promise((resolve) => setTimeout(resolve, 0));
        } else if (turn.kind === "done") {
          return { where: "page", millis: performance.now() - began, bytesFetched, requests, ...(turn.stats satisfies CoreStats) };
        } else if (turn.kind === "store") {
          await this.keeper?.act();
        } else if (turn.kind === "refused") {
          throw new IsopointError("request", turn.error);
        } else if (turn.kind === "wrote") {
          take(turn);
          return { where: "page", millis: performance.now() - began, bytesFetched, requests, ...NOTHING_READ };
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

/** Rejects as soon as `signal` is aborted; what it waited for goes on. */
function abortable<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new IsopointError("aborted", "aborted"));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** As in the server's header `X-Answer-Hash`; empty where the page may not hash, which is without https. */
async function hashOf(body: Uint8Array): Promise<string> {
  if (typeof crypto === "undefined" || !crypto.subtle) return "";
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body as Uint8Array<ArrayBuffer>));
  return `sha-256=${[...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
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
