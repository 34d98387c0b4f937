import { type ApiRequest, type ApiResponse, Engine, IsopointError, type QueryResult, type QueryStats, Series, type SyncStatus } from "isopoint";
import { quote } from "./influxql";
import type { Span } from "./timerange";

/** What there is for a page that wants a database. */
export type Presence = "here" | "missing" | "unreachable";

/** The engine in this page, as a replica of the server that the page came from. */
export class Source {
  private constructor(
    private readonly engine: Engine,
    readonly address: string,
  ) {}

  static async open(address: string): Promise<Source> {
    return new Source(await Engine.open({ source: address }), address);
  }

  query(text: string, database: string, signal?: AbortSignal): Promise<QueryResult> {
    return this.engine.query(text, { ...(database === "" ? {} : { database }), ...(signal ? { signal } : {}) });
  }

  /** Fetches what a query reads, so that every narrower or finer one is answered without a request. */
  async prefetch(text: string, database: string): Promise<{ bytesFetched: number; requests: number }> {
    return this.engine.prefetch(text, { database });
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
    if ((await this.status()).databases.includes(database)) return "here";
    try {
      return (await this.engine.databases()).includes(database) ? "here" : "missing";
    } catch {
      return "unreachable";
    }
  }

  /** The server's databases; when it is silent, those in the page. */
  async databases(): Promise<string[]> {
    return this.engine.databases().catch(async () => (await this.status()).databases);
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

export { IsopointError, type QueryResult, type QueryStats, Series, type SyncStatus };
