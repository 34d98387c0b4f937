import type { Extent } from "./core.js";
import { IsopointError, errorData } from "./errors.js";
import type { Host, HostOptions, QueryData } from "./host.js";
import { CANCELLABLE, type Call, type Method, type Reply } from "./messages.js";
import { QueryResult } from "./result.js";
import type {
  ApiRequest,
  ApiResponse,
  EngineEvent,
  EngineStats,
  OpenOptions,
  PrefetchResult,
  QueryOptions,
  SyncStatus,
  WasmFile,
  WriteOptions,
  WriteResult,
} from "./types.js";

const CACHE_BYTES = 128 << 20;
const FETCH_BUDGET = 64 << 20;

/** How calls reach a host: in this thread or through a Worker. */
interface Port {
  call(method: Method, args: unknown[], signal?: AbortSignal): Promise<unknown>;
  close(): void;
}

/** What differs between a page and Node. */
export interface Platform {
  /** Where the package's own copies lie. */
  files: Record<Extent, URL>;
  compile(wasm: WasmFile): Promise<WebAssembly.Module>;
  /** A Worker that runs `worker.js`; `null` where there are none. */
  worker(): Worker | null;
  /** The engine in this thread; loaded only when asked for. */
  host(extent: Extent, module: WebAssembly.Module, options: HostOptions, emit: (event: EngineEvent) => void): Promise<Host>;
}

/** The calls that no reader answers. */
const FULL: ReadonlySet<Method> = new Set(["write", "exchange"]);

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

  protected async start(platform: Platform, options: OpenOptions): Promise<this> {
    const files = filesOf(options.wasm) ?? platform.files;
    const compile = (extent: Extent): Promise<WebAssembly.Module> =>
      platform.compile(files[extent] ?? files.full).catch((error: unknown) => {
        throw new IsopointError("load", `the module could not be loaded: ${errorData(error).message}`);
      });
    const extent = files.reader === undefined || options.source === undefined ? "full" : (options.module ?? "reader");
    const module = await compile(extent);
    this.compileFull = () => compile("full");
    if (extent === "full") this.extended = Promise.resolve();
    const hostOptions: HostOptions = {
      source: options.source === undefined ? null : options.source.replace(/\/+$/, ""),
      databases: options.source === undefined ? [] : (options.databases ?? []),
      cacheBytes: options.cacheBytes ?? CACHE_BYTES,
      fetchBudget: options.fetchBudget ?? FETCH_BUDGET,
    };
    const emit = (event: EngineEvent): void => this.listeners.forEach((listener) => listener(event));
    const worker = options.worker === false ? null : typeof options.worker === "object" ? options.worker : platform.worker();
    this.port = worker
      ? await WorkerPort.open(worker, extent, module, hostOptions, emit)
      : new LocalPort(await platform.host(extent, module, hostOptions, emit));
    return this;
  }

  /** Stores line protocol in the engine itself. A replica takes no writes: they go to its server. */
  write(lines: string | Uint8Array, options: WriteOptions): Promise<WriteResult> {
    return this.call("write", [lines, options]) as Promise<WriteResult>;
  }

  /** Runs InfluxQL; columns arrive as typed arrays. An error of a statement is in its result; one of the text throws. */
  async query(text: string, { signal, ...options }: QueryOptions = {}): Promise<QueryResult> {
    return new QueryResult((await this.call("query", [text, options], signal)) as QueryData);
  }

  /** Facette's points of a graph: `{ graph, range, sample, … }`; the origin is the database. Throws what the API answers. */
  async points(request: object, { signal, now }: { signal?: AbortSignal; now?: number } = {}): Promise<unknown> {
    const headers = { "content-type": "application/json" };
    const call = { method: "POST", url: "/api/v1/series/points", headers, body: JSON.stringify(request) };
    const response = await this.exchange(call, { ...(signal ? { signal } : {}), ...(now === undefined ? {} : { now }) });
    const answer: unknown = JSON.parse(new TextDecoder().decode(response.body));
    if (response.status === 200) return answer;
    throw new IsopointError("request", String((answer as { message?: string }).message ?? response.status));
  }

  /** Answers a request of any API as the server would, byte for byte. */
  exchange(request: ApiRequest, { signal, now }: { signal?: AbortSignal; now?: number } = {}): Promise<ApiResponse> {
    return this.call("exchange", [request, now], signal) as Promise<ApiResponse>;
  }

  /** Fetches the columns that a query reads, so that zooming into it asks the network for nothing. */
  prefetch(text: string, { signal, ...options }: QueryOptions = {}): Promise<PrefetchResult> {
    return this.call("prefetch", [text, options], signal) as Promise<PrefetchResult>;
  }

  /** Follows a database of the source; resolves when the replica answers for it. */
  sync(database: string): Promise<SyncStatus> {
    return this.call("sync", [database]) as Promise<SyncStatus>;
  }

  status(): Promise<SyncStatus> {
    return this.call("status", []) as Promise<SyncStatus>;
  }

  databases(): Promise<string[]> {
    return this.call("databases", []) as Promise<string[]>;
  }

  stats(): Promise<EngineStats> {
    return this.call("stats", []) as Promise<EngineStats>;
  }

  /** Calls `listener` at every event; the returned function ends that. */
  on(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async call(method: Method, args: unknown[], signal?: AbortSignal): Promise<unknown> {
    if (FULL.has(method)) await this.extend();
    try {
      return await this.port.call(method, args, signal);
    } catch (error) {
      if (!(error instanceof IsopointError) || error.code !== "beyond") throw error;
      await this.extend();
      return this.port.call(method, args, signal);
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
    this.port.close();
    this.listeners.clear();
  }
}

/** The files a caller names; `null` for the package's own. */
function filesOf(wasm: OpenOptions["wasm"]): { reader?: WasmFile; full: WasmFile } | null {
  if (wasm === undefined) return null;
  return typeof wasm === "object" && "reader" in wasm ? wasm : { full: wasm };
}

class LocalPort implements Port {
  private closed = false;

  constructor(private readonly host: Host) {}

  async call(method: Method, args: unknown[], signal?: AbortSignal): Promise<unknown> {
    if (this.closed) throw new IsopointError("closed", "the engine is closed");
    try {
      const call = this.host[method] as (...args: unknown[]) => unknown;
      return await call.apply(this.host, CANCELLABLE.has(method) ? [...args, signal] : args);
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

class WorkerPort implements Port {
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
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
        else port.settle(data);
      };
      worker.postMessage({ type: "open", extent, module, options } satisfies Call);
    });
  }

  call(method: Method, args: unknown[], signal?: AbortSignal): Promise<unknown> {
    if (this.ended) return Promise.reject(this.ended);
    if (signal?.aborted) return Promise.reject(new IsopointError("aborted", "aborted"));
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      signal?.addEventListener("abort", () => this.worker.postMessage({ type: "abort", id } satisfies Call), { once: true });
      this.worker.postMessage({ type: "call", id, method, args } satisfies Call);
    });
  }

  close(): void {
    this.end(new IsopointError("closed", "the engine is closed"));
    this.worker.terminate();
  }

  private settle(reply: Extract<Reply, { id: number }>): void {
    const waiter = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
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
