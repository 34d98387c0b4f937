import type { Extent } from "./core.js";
import { IsopointError, errorData } from "./errors.js";
import type { Host, HostOptions, QueryData } from "./host.js";
import { type DatadogAnswer, type DatadogSeries, type FramesAnswer, type GrafanaFrame, datadogSeries, grafanaFrame } from "./formats.js";
import { CANCELLABLE, type Call, type Method, type Reply, type Watch } from "./messages.js";
import { QueryResult } from "./result.js";
import { readSnapshot } from "./snapshot.js";
import { localSource, uidsOf } from "./sources.js";
import type {
  ApiRequest,
  ApiResponse,
  BlockRange,
  CallOptions,
  EngineEvent,
  EngineStats,
  OpenOptions,
  PrefetchResult,
  Progress,
  QueryOptions,
  SyncStatus,
  Verification,
  WasmFile,
  WriteOptions,
  WriteResult,
} from "./types.js";

const CACHE_BYTES = 128 << 20;
const FETCH_BUDGET = 64 << 20;
const DEVICE_BYTES = 512 << 20;

/** The paths that {@link EngineBase.fetch} answers in the page; writes only where there is no source to take them. */
const SERVED = new Set(["/query", "/write", "/api/v1/query", "/api/ds/query", "/api/v1/series/points"]);
/** As it was when the package was loaded: it may be replaced by the engine's own. */
const network: typeof fetch = globalThis.fetch.bind(globalThis);

/** How calls reach a host: in this thread or through a Worker. */
interface Port {
  call(method: Method, args: unknown[], watch?: Watch): Promise<unknown>;
  close(): void;
}

/** What differs between a page and Node. */
export interface Platform {
  /** Where the package's own copies lie. */
  files: { reader?: WasmFile | undefined; full: WasmFile };
  compile(wasm: WasmFile): Promise<WebAssembly.Module>;
  /** A Worker that runs `worker.js`; `null` where there are none. */
  worker(): Worker | null;
  /** The engine in this thread; loaded only when asked for. */
  host(extent: Extent, module: WebAssembly.Module, options: HostOptions, emit: (event: EngineEvent) => void): Promise<Host>;
}

/** The calls that no reader answers. */
const FULL: ReadonlySet<Method> = new Set(["write", "exchange", "verify"]);

const JSON_HEADERS = { "content-type": "application/json" };

/**
 * A time-series engine: InfluxQL and the APIs of the server, answered in this page.
 *
 * ```ts
 * const engine = await Engine.open({ source: "http://127.0.0.1:8086" });
 * const result = await engine.query("SELECT mean(usage) FROM cpu WHERE time > now() - 1h GROUP BY time(1m)", { database: "_internal" });
 * for (const series of result.series()) console.log(series.name, series.timesMillis(), series.column("mean")?.numbers());
 * engine.close();
 * ```
 */
export abstract class EngineBase {
  private readonly listeners = new Set<(event: EngineEvent) => void>();
  private port!: Port;
  private compileFull!: () => Promise<WebAssembly.Module>;
  /** The change from the reader to the full module; `null` before it has begun. */
  private extended: Promise<void> | null = null;
  private closed = false;
  /** Loops of `live` that wait. */
  private readonly ending = new Set<() => void>();
  /** The page's own data sources, by database. */
  private readonly dataSources = new Map<string, string>();

  /** There is one. */
  private replica = false;

  /** The server's address; `null` without one. */
  private server: string | null = null;

  /** The server's own data sources that were asked for, by uid: their databases; `null` for those it has not itself. */
  private readonly adopted = new Map<string, string | null>();

  protected start(platform: Platform, options: OpenOptions): Promise<this> {
    const { signal } = options;
    if (!signal) return this.load(platform, options);
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(new IsopointError("aborted", "aborted"));
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      const opened = this.load(platform, options);
      opened.then(() => signal.aborted && this.close(), () => undefined);
      opened.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }

  private async load(platform: Platform, options: OpenOptions): Promise<this> {
    const files = filesOf(options.wasm) ?? platform.files;
    const compile = (extent: Extent): Promise<WebAssembly.Module> =>
      Promise.resolve()
        .then(() => platform.compile(files[extent] ?? files.full))
        .catch((error: unknown) => {
          throw new IsopointError("load", `the module could not be loaded: ${errorData(error).message}`);
        });
    const extent = files.reader === undefined || options.source === undefined ? "full" : (options.module ?? "reader");
    const module = await compile(extent);
    this.compileFull = () => compile("full");
    if (extent === "full") this.extended = Promise.resolve();
    this.replica = options.source !== undefined;
    if (typeof options.source === "string") this.server = options.source.replace(/\/+$/, "");
    const hostOptions: HostOptions = {
      source: options.source === undefined ? null : typeof options.source === "string" ? options.source.replace(/\/+$/, "") : readSnapshot(options.source),
      databases: options.source === undefined ? [] : (options.databases ?? []),
      cacheBytes: options.cacheBytes ?? CACHE_BYTES,
      fetchBudget: options.fetchBudget ?? FETCH_BUDGET,
      persistence: options.persistence ?? "memory",
      name: options.name ?? "default",
      deviceBytes: options.deviceBytes ?? DEVICE_BYTES,
    };
    const emit = (event: EngineEvent): void => this.listeners.forEach((listener) => listener(event));
    const worker = options.worker === false ? null : typeof options.worker === "object" ? options.worker : platform.worker();
    this.port = worker
      ? await WorkerPort.open(worker, extent, module, hostOptions, emit)
      : new LocalPort(await platform.host(extent, module, hostOptions, emit));
    return this;
  }

  /** Stores line protocol in the engine itself. A replica takes no writes: they go to its server. */
  write(lines: string | Uint8Array, { signal, ...options }: WriteOptions): Promise<WriteResult> {
    return this.call("write", [lines, options], { ...(signal ? { signal } : {}) }) as Promise<WriteResult>;
  }

  /** Runs InfluxQL; columns arrive as typed arrays. An error of a statement is in its result; one of the text throws. */
  async query(text: string, { signal, onProgress, ...options }: QueryOptions = {}): Promise<QueryResult> {
    return new QueryResult((await this.call("query", [text, options], watchOf(signal, onProgress))) as QueryData);
  }

  /**
   * Runs InfluxQL now and whenever the databases in this page have changed, until `signal` says so or the loop ends.
   * Changes that come while an answer is computed are answered together.
   *
   * ```ts
   * for await (const result of engine.live("SELECT last(usage) FROM cpu", { database: "_internal", signal })) draw(result);
   * ```
   */
  async *live(text: string, { signal, ...options }: QueryOptions = {}): AsyncGenerator<QueryResult, void, undefined> {
    let changed = true;
    let wake: () => void = () => undefined;
    const stop = this.on((event) => {
      if (event.type !== "points" || (options.database !== undefined && event.database !== options.database)) return;
      changed = true;
      wake();
    });
    const end = (): void => wake();
    signal?.addEventListener("abort", end, { once: true });
    this.ending.add(end);
    try {
      while (!signal?.aborted && !this.closed) {
        changed = false;
        yield await this.query(text, signal ? { ...options, signal } : options);
        while (!changed && !signal?.aborted && !this.closed) await new Promise<void>((resolve) => (wake = resolve));
      }
    } catch (error) {
      if (!(error instanceof IsopointError && (error.code === "aborted" || error.code === "closed"))) throw error;
    } finally {
      stop();
      this.ending.delete(end);
      signal?.removeEventListener("abort", end);
    }
  }

  /** Datadog's timeseries query, `from` and `to` in seconds since 1970. Throws what the API answers. */
  async datadog(query: string, from: number, to: number, options: CallOptions = {}): Promise<DatadogSeries[]> {
    const url = `/api/v1/query?${new URLSearchParams({ query, from: String(Math.floor(from)), to: String(Math.floor(to)) })}`;
    // The API wants keys; in the page any will do.
    const headers = { "dd-api-key": "page", "dd-application-key": "page" };
    const answer = await this.json<DatadogAnswer>({ method: "GET", url, headers }, options);
    if (answer.error !== undefined || answer.errors) throw new IsopointError("request", answer.error ?? answer.errors?.join("; ") ?? "");
    return datadogSeries(answer);
  }

  /** Facette's points of a graph: `{ graph, range, sample, … }`; the origin is the database. Throws what the API answers. */
  points(request: object, options: CallOptions = {}): Promise<unknown> {
    return this.json({ method: "POST", url: "/api/v1/series/points", body: JSON.stringify(request) }, options);
  }

  /**
   * Grafana's `/api/ds/query`: `{ from, to, queries }`. A query without a `datasource` asks `database`, as an InfluxDB
   * data source would.
   */
  async frames({ database, ...request }: { database: string; from: string; to: string; queries: object[] }, options: CallOptions = {}): Promise<GrafanaFrame[]> {
    if (this.replica) await this.sync(database, options);
    const uid = await this.dataSource(database, options);
    const queries = request.queries.map((query, at) => ({ refId: String.fromCharCode(65 + at), rawQuery: true, datasource: { uid, type: "influxdb" }, ...query }));
    const { results = {} } = await this.json<FramesAnswer>({ method: "POST", url: "/api/ds/query", body: JSON.stringify({ ...request, queries }) }, options, [200, 207, 400]);
    const failed = Object.values(results).find(({ error }) => error !== undefined);
    if (failed) throw new IsopointError("request", failed.error ?? "");
    return Object.values(results).flatMap(({ frames = [] }) => frames.map(grafanaFrame));
  }

  /** The uid of the page's own data source for a database. */
  private async dataSource(database: string, { signal }: CallOptions): Promise<string> {
    const known = this.dataSources.get(database);
    if (known !== undefined) return known;
    // A uid has letters, digits, hyphens and underscores, 40 at the most.
    const uid = `page-${[...new TextEncoder().encode(database)].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(-34)}`;
    const record = { name: `page: ${database}`, uid, type: "influxdb", access: "proxy", url: "local://", jsonData: { dbName: database } };
    const made = await this.exchange({ method: "POST", url: "/api/datasources", headers: JSON_HEADERS, body: JSON.stringify(record) }, signal ? { signal } : {});
    // One that an earlier visit has made will do.
    if (made.status !== 200 && made.status !== 409) throw new IsopointError("request", new TextDecoder().decode(made.body));
    this.dataSources.set(database, uid);
    return uid;
  }

  private async json<T>(request: ApiRequest, options: CallOptions, good: number[] = [200]): Promise<T> {
    const response = await this.exchange({ headers: JSON_HEADERS, ...request }, options);
    const text = new TextDecoder().decode(response.body);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new IsopointError("request", `status ${response.status}: ${text.slice(0, 200)}`);
    }
    if (good.includes(response.status)) return answer as T;
    const { message, errors } = answer as { message?: string; errors?: string[] };
    throw new IsopointError("request", message ?? errors?.join("; ") ?? `status ${response.status}`);
  }

  /** Answers a request of any API as the server would, byte for byte. */
  async exchange(request: ApiRequest, { signal, now }: CallOptions = {}): Promise<ApiResponse> {
    await this.adopt(request);
    return this.call("exchange", [request, now], watchOf(signal)) as Promise<ApiResponse>;
  }

  /**
   * Before a query of Grafana's API: the data sources by which the server answers for itself become the page's, under
   * their uids, and their databases are followed. What the server has once said of a uid is kept.
   */
  private async adopt({ url, body }: ApiRequest): Promise<void> {
    if (this.server === null || body === undefined || !url.startsWith("/api/ds/query")) return;
    for (const uid of uidsOf(body)) {
      if (!this.adopted.has(uid)) {
        const database = await this.copied(this.server, uid);
        if (database !== undefined) this.adopted.set(uid, database);
      }
      const database = this.adopted.get(uid) ?? "";
      if (database !== "") await this.sync(database).catch(() => undefined);
    }
  }

  private async copied(server: string, uid: string): Promise<string | null | undefined> {
    if ([...this.dataSources.values()].includes(uid)) return null;
    const found = await localSource(network, server, uid);
    if (!found) return found;
    await this.call("exchange", [{ method: "POST", url: "/api/datasources", headers: JSON_HEADERS, body: JSON.stringify(found.record) }, undefined]);
    return found.database;
  }

  /** Answers a request here and asks the source the same: are the bytes alike? A text with `now()` has two answers. */
  async verify(request: ApiRequest, { signal }: CallOptions = {}): Promise<Verification> {
    await this.adopt(request);
    return this.call("verify", [request], watchOf(signal)) as Promise<Verification>;
  }

  /**
   * `fetch` for code that was written against a server: requests for `/query`, `/write`, `/api/v1/query`, `/api/ds/query`
   * and `/api/v1/series/points`, whatever their host, are answered in this page, all others by the network. So is what the
   * page cannot: a data source that is another server, an API that needs one; and writes, when this engine has a source
   * that they belong to.
   *
   * ```ts
   * globalThis.fetch = engine.fetch;
   * ```
   */
  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const given = input instanceof Request ? input : null;
    const url = new URL(given?.url ?? String(input), globalThis.location?.href ?? "http://localhost");
    if (!SERVED.has(url.pathname) || (url.pathname === "/write" && this.replica)) return network(input, init);
    const request = given ? new Request(given.clone(), init) : new Request(url, init);
    const body = new Uint8Array(await request.arrayBuffer());
    const call = { method: request.method, url: url.pathname + url.search, headers: Object.fromEntries(request.headers), body };
    const answer = await this.exchange(call, { signal: request.signal });
    const elsewhere = url.pathname === "/api/ds/query" && (answer.status === 404 || answer.status === 501);
    if (elsewhere) return network(input, init);
    const empty = answer.status === 204 || answer.status === 304 || request.method === "HEAD";
    return new Response(empty ? null : (answer.body as BodyInit), { status: answer.status, headers: answer.headers });
  };

  /** Fetches the columns that a query reads, so that zooming into it asks the network for nothing. */
  prefetch(text: string, { signal, onProgress, ...options }: QueryOptions = {}): Promise<PrefetchResult> {
    return this.call("prefetch", [text, options], watchOf(signal, onProgress)) as Promise<PrefetchResult>;
  }

  /** The parts of block files that a query's scans cover, as if no block's header could answer. */
  blocks(text: string, { signal, ...options }: CallOptions & { database?: string } = {}): Promise<BlockRange[]> {
    return this.call("blocks", [text, options], watchOf(signal)) as Promise<BlockRange[]>;
  }

  /**
   * A database of the source in one piece, as it is now: `Engine.open({ source: bytes })` opens it anywhere, without a
   * server.
   */
  snapshot(database: string, { signal, onProgress }: { signal?: AbortSignal; onProgress?(progress: Progress): void } = {}): Promise<Uint8Array> {
    return this.call("snapshot", [database], watchOf(signal, onProgress)) as Promise<Uint8Array>;
  }

  /** Follows a database of the source; resolves when the replica answers for it. */
  sync(database: string, { signal }: CallOptions = {}): Promise<SyncStatus> {
    return this.call("sync", [database], watchOf(signal)) as Promise<SyncStatus>;
  }

  status(): Promise<SyncStatus> {
    return this.call("status", []) as Promise<SyncStatus>;
  }

  databases({ signal }: CallOptions = {}): Promise<string[]> {
    return this.call("databases", [], watchOf(signal)) as Promise<string[]>;
  }

  stats(): Promise<EngineStats> {
    return this.call("stats", []) as Promise<EngineStats>;
  }

  /** Calls `listener` at every event; the returned function ends that. */
  on(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async call(method: Method, args: unknown[], watch?: Watch): Promise<unknown> {
    if (watch?.signal?.aborted) throw new IsopointError("aborted", "aborted");
    if (FULL.has(method)) await this.extend();
    try {
      return await this.port.call(method, args, watch);
    } catch (error) {
      if (!(error instanceof IsopointError) || error.code !== "beyond") throw error;
      await this.extend();
      return this.port.call(method, args, watch);
    }
  }

  /** Loads the full module in place of the reader, once; a failed attempt is made again by the next call. */
  private extend(): Promise<void> {
    this.extended ??= this.compileFull()
      .then((module) => this.port.call("extend", [module]) as Promise<void>)
      .catch((error: unknown) => {
        this.extended = null;
        throw error;
      });
    return this.extended;
  }

  /** Ends the engine; calls in progress fail with `closed`. */
  close(): void {
    this.closed = true;
    this.port.close();
    this.listeners.clear();
    for (const end of this.ending) end();
  }
}

function watchOf(signal?: AbortSignal, progress?: (progress: Progress) => void): Watch {
  return { ...(signal ? { signal } : {}), ...(progress ? { progress } : {}) };
}

/** The files a caller names; `null` for the package's own. */
function filesOf(wasm: OpenOptions["wasm"]): { reader?: WasmFile; full: WasmFile } | null {
  if (wasm === undefined) return null;
  return typeof wasm === "object" && "reader" in wasm ? wasm : { full: wasm };
}

class LocalPort implements Port {
  private closed = false;

  constructor(private readonly host: Host) {}

  async call(method: Method, args: unknown[], watch: Watch = {}): Promise<unknown> {
    if (this.closed) throw new IsopointError("closed", "the engine is closed");
    try {
      const call = this.host[method] as (...args: unknown[]) => unknown;
      return await call.apply(this.host, CANCELLABLE.has(method) ? [...args, watch] : args);
    } catch (error) {
      const { code, message } = errorData(error);
      throw new IsopointError(code, message);
    }
  }

  close(): void {
    this.closed = true;
    this.host.close();
  }
}

/** A call that the Worker has not answered. */
interface Waiter {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  progress?(progress: Progress): void;
  settled(): void;
}

class WorkerPort implements Port {
  private readonly waiting = new Map<number, Waiter>();
  private next = 0;
  private ended: IsopointError | null = null;

  private constructor(private readonly worker: Worker) {}

  static open(worker: Worker, extent: Extent, module: WebAssembly.Module, options: HostOptions, emit: (event: EngineEvent) => void): Promise<WorkerPort> {
    const port = new WorkerPort(worker);
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => {
        const error = new IsopointError("crashed", `the engine's Worker failed: ${event.message}`);
        port.end(error);
        reject(error);
      };
      worker.onmessage = ({ data }: MessageEvent<Reply>) => {
        if (data.type === "opened") resolve(port);
        else if (data.type === "failed") reject(new IsopointError(data.error.code, data.error.message));
        else if (data.type === "event") emit(data.event);
        else if (data.type === "progress") port.waiting.get(data.id)?.progress?.(data.progress);
        else port.settle(data);
      };
      worker.postMessage({ type: "open", extent, module, options } satisfies Call);
    });
  }

  call(method: Method, args: unknown[], { signal, progress }: Watch = {}): Promise<unknown> {
    if (this.ended) return Promise.reject(this.ended);
    const id = this.next++;
    return new Promise((resolve, reject) => {
      // The caller is told at once; the Worker stops at its next turn.
      const abort = (): void => {
        this.waiting.delete(id);
        this.worker.postMessage({ type: "abort", id } satisfies Call);
        reject(new IsopointError("aborted", "aborted"));
      };
      const settled = (): void => signal?.removeEventListener("abort", abort);
      this.waiting.set(id, { resolve, reject, settled, ...(progress ? { progress } : {}) });
      signal?.addEventListener("abort", abort, { once: true });
      this.worker.postMessage({ type: "call", id, method, args } satisfies Call);
    });
  }

  close(): void {
    this.end(new IsopointError("closed", "the engine is closed"));
    this.worker.terminate();
  }

  private settle(reply: Extract<Reply, { type: "done" | "error" }>): void {
    const waiter = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    waiter?.settled();
    if (reply.type === "done") return waiter?.resolve(reply.value);
    const error = new IsopointError(reply.error.code, reply.error.message);
    waiter?.reject(error);
    if (error.code === "crashed") this.end(error);
  }

  private end(error: IsopointError): void {
    this.ended ??= error;
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.waiting.clear();
  }
}
