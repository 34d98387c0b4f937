import { type ApiRequest, type ApiResponse, type DatadogSeries, Engine, type GrafanaFrame, IsopointError, type Progress, readSnapshot, type QueryResult, type QueryStats, Series, type SyncStatus, type Verification, type WriteResult } from "isopoint";
import { quote } from "./influxql";
import type { Span } from "./timerange";

/** What there is for a page that wants a database. */
export type Presence = "here" | "missing" | "unreachable";

/** The engine in this page, as a replica of the server that the page came from. */
export class Source {
  private constructor(
    private readonly engine: Engine,
    /** Empty when there is no server. */
    readonly address: string,
    /** What the clock shows to queries; `null`: the present. */
    private readonly now: number | null,
  ) {}

  static async open(address: string): Promise<Source> {
    return new Source(await Engine.open({ source: address }), address, null);
  }

  /** A database out of a file; to its queries it is always the moment at which that was made. */
  static async openSnapshot(snapshot: Uint8Array): Promise<{ source: Source; database: string; taken: number }> {
    const { database, taken } = readSnapshot(snapshot);
    const source = new Source(await Engine.open({ source: snapshot }), "", taken);
    await source.follow(database);
    return { source, database, taken };
  }

  /** A database of the server's as the file that `openSnapshot` takes. */
  snapshot(database: string, onProgress: (progress: Progress) => void): Promise<Uint8Array> {
    return this.engine.snapshot(database, { onProgress });
  }

  query(text: string, database: string, signal?: AbortSignal): Promise<QueryResult> {
    return this.engine.query(text, { ...(this.now === null ? {} : { now: this.now }), ...(database === "" ? {} : { database }), ...(signal ? { signal } : {}) });
  }

  /** Fetches what a query reads, so that every narrower or finer one is answered without a request. */
  async prefetch(text: string, database: string): Promise<{ bytesFetched: number; requests: number }> {
    return this.engine.prefetch(text, { database });
  }

  /** The parts of block files that a query reads. */
  blocks(text: string, database: string): Promise<{ file: string; offset: number; len: number }[]> {
    return this.engine.blocks(text, { database });
  }

  /** Whether the server answers a request with the same bytes as this page. */
  verify(request: ApiRequest): Promise<Verification> {
    return this.engine.verify(request);
  }

  /** From the first to the last point of a field; `null` when it has none. */
  async extent(database: string, measurement: string, field: string): Promise<Span | null> {
    const from = `(${quote(field)}) FROM ${quote(measurement)}`;
    const result = await this.query(`SELECT first${from}; SELECT last${from}`, database);
    const [first, last] = [0, 1].map((statement) => {
      const series = result.results.find((found) => found.statement === statement)?.series[0];
      return series?.timesMillis()[0];
    });
    return first === undefined || last === undefined ? null : { from: first, to: last };
  }

  /** Asked before a database is followed, since following one that is missing is an error. */
  async presence(database: string): Promise<Presence> {
    if ((await this.held()).includes(database)) return "here";
    try {
      return (await this.engine.databases()).includes(database) ? "here" : "missing";
    } catch {
      return "unreachable";
    }
  }

  /** The server's databases and the page's own; when the server is silent, those in the page. */
  async databases(): Promise<string[]> {
    const held = await this.held();
    const known = await this.engine.databases().catch((): string[] => []);
    return [...known, ...held.filter((database) => !known.includes(database))];
  }

  /** Databases of this page: those it follows, and its own. */
  private async held(): Promise<string[]> {
    return (await this.engine.stats()).databases;
  }

  /** Stores line protocol in a database of the page's own. */
  write(lines: string, database: string): Promise<WriteResult> {
    return this.engine.write(lines, { database });
  }

  /** An answer in InfluxDB's CSV, written by the engine. */
  async csv(text: string, database: string): Promise<Uint8Array> {
    const parameters = new URLSearchParams({ db: database, q: text });
    const answer = await this.engine.exchange({ method: "GET", url: `/query?${parameters}`, headers: { accept: "application/csv" } });
    if (answer.status !== 200) throw new IsopointError("request", new TextDecoder().decode(answer.body));
    return answer.body;
  }

  /** A request to any API, answered by the engine in the page. */
  exchange(request: ApiRequest): Promise<ApiResponse> {
    return this.engine.exchange(request);
  }

  datadog(query: string, from: number, to: number): Promise<DatadogSeries[]> {
    return this.engine.datadog(query, from, to);
  }

  /** Facette's points of a graph. */
  points(request: object): Promise<unknown> {
    return this.engine.points(request);
  }

  /** Grafana's frames of queries to a database. */
  frames(request: Parameters<Engine["frames"]>[0]): Promise<GrafanaFrame[]> {
    return this.engine.frames(request);
  }

  /** Follows a database, and waits until what is here of it is good for answers. */
  async follow(database: string): Promise<void> {
    await this.engine.sync(database);
  }

  status(): Promise<SyncStatus> {
    return this.engine.status();
  }

  /** `points` is 0 when not points but files came, that is, when bytes held before may no longer be those needed. */
  onPoints(listener: (database: string, points: number) => void): () => void {
    return this.engine.on((event) => {
      if (event.type === "points") listener(event.database, event.points);
    });
  }

  onStatus(listener: (status: SyncStatus) => void): () => void {
    return this.engine.on((event) => {
      if (event.type === "status") listener(event.status);
    });
  }
}

export { IsopointError, type QueryResult, type QueryStats, Series, type SyncStatus, type Verification };
