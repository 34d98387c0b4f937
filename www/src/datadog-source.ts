import type { Answer } from "./datadog";
import { IsopointError, type QueryResult, type QueryStats, Series, type Source } from "./source";

/** Any will do for the engine in the page; the server wants its own where it has some. */
const KEYS = { "dd-api-key": "page", "dd-application-key": "page" };

/** The answer as what the page draws and lists. */
export function resultOf(answer: Answer, stats: QueryStats): QueryResult {
  const series = answer.series.map(({ scope, display_name: name, pointlist }) => {
    const present = pointlist.some(([, value]) => value === null) ? Uint8Array.from(pointlist, ([, value]) => Number(value !== null)) : null;
    return new Series({
      name,
      tags: scope === "*" ? {} : { scope },
      times: BigInt64Array.from(pointlist, ([millis]) => BigInt(millis) * 1_000_000n),
      columns: [{ name: "value", type: "float", values: Float64Array.from(pointlist, ([, value]) => value ?? 0), present }],
    });
  });
  return { results: [{ statement: 0, series }], stats } as unknown as QueryResult;
}

/** Queries in Datadog's language, answered by the engine in this page from a replica of the database that they are of. */
export class DatadogSource {
  private revision = "";
  private database = "datadog";

  constructor(private readonly source: Source) {}

  /** Seconds of the window's ends. */
  async ask(query: string, from: number, to: number): Promise<{ answer: Answer; stats: QueryStats; notice: string }> {
    await this.hold();
    const parameters = new URLSearchParams({ from: String(from), to: String(to), query });
    const { status, body, headers, stats } = await this.source.exchange({ method: "GET", url: `/api/v1/query?${parameters}`, headers: KEYS });
    const answer = JSON.parse(new TextDecoder().decode(body)) as Answer & { errors?: string[] };
    if (status !== 200) throw new IsopointError("request", answer.errors?.[0] ?? `status ${status}`);
    const notice = headers.find(([name]) => name.toLowerCase() === "x-isopoint-notice")?.[1] ?? "";
    return { answer, stats, notice };
  }

  async metrics(): Promise<string[]> {
    await this.hold();
    const answer = await this.read<{ data: { id: string }[] }>("/api/v2/metrics");
    return answer.data.map(({ id }) => id);
  }

  /** The tags of a metric's sources. */
  async tags(metric: string): Promise<string[]> {
    const path = `/api/v2/metrics/${encodeURIComponent(metric)}/all-tags`;
    return (await this.read<{ data: { attributes: { tags: string[] } } }>(path)).data.attributes.tags;
  }

  private async read<T>(url: string): Promise<T> {
    const { status, body } = await this.source.exchange({ method: "GET", url, headers: KEYS });
    if (status !== 200) throw new IsopointError("request", `status ${status}`);
    return JSON.parse(new TextDecoder().decode(body)) as T;
  }

  /** Follows the points, and takes over types, intervals and units if they changed; without the server what is here has to do. */
  private async hold(): Promise<void> {
    const url = `${this.source.address}/api/v1/isopoint/metrics?since=${this.revision}`;
    const told = await fetch(url, { headers: KEYS }).then((answer) => (answer.ok ? (answer.json() as Promise<{ database: string; revision: number; metrics: object | null }>) : null)).catch(() => null);
    if (told) {
      this.database = told.database;
      if (told.metrics !== null) {
        const body = JSON.stringify({ metrics: told.metrics });
        await this.source.exchange({ method: "PUT", url: "/api/v1/isopoint/metrics", headers: KEYS, body });
      }
      this.revision = String(told.revision);
    }
    if ((await this.source.presence(this.database)) === "here") await this.source.follow(this.database);
  }
}
