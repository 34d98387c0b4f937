import type { Answer } from "./datadog";
import { IsopointError, type QueryResult, type QueryStats, Series, type Source } from "./source";

/** Any will do for the engine in the page; the server wants its own where it has some. */
const KEYS = { "dd-api-key": "page", "dd-application-key": "page" };

/** The database of Datadog's API. */
const DATABASE = "datadog";

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

  /** Follows the points. What the server knows of metrics besides them the engine takes over by itself. */
  private async hold(): Promise<void> {
    if ((await this.source.presence(DATABASE)) === "here") await this.source.follow(DATABASE);
  }
}
