import { h, setText } from "./dom";
import { formatBytes, formatCount, formatMillis, plural } from "./format";
import type { QueryStats } from "./source";

/** The quiet line beneath an answer: where it was computed and what it took. Figures are attributes as well. */
export class StatsLine {
  readonly element: HTMLParagraphElement;

  constructor(id: string) {
    this.element = h("p", { class: "stats", "data-testid": `stats-${id}` });
  }

  show(stats: QueryStats): void {
    const attributes: Record<string, number | string> = {
      where: stats.where,
      points: stats.points,
      rows: stats.rows,
      bytes: stats.bytesFetched,
      requests: stats.requests,
      decoded: stats.blocksDecoded,
      headers: stats.blocksFromHeader,
      millis: stats.millis.toFixed(2),
    };
    for (const [name, value] of Object.entries(attributes)) this.element.dataset[name] = String(value);
    setText(this.element, describe(stats));
  }

  /** What was fetched ahead, for closer looks that are still to come. */
  showAhead({ bytesFetched, requests }: { bytesFetched: number; requests: number }): void {
    this.element.dataset["aheadBytes"] = String(bytesFetched);
    this.element.dataset["aheadRequests"] = String(requests);
  }
}

export function describe(stats: QueryStats): string {
  const fetched = stats.requests === 0 ? "0 B fetched" : `${formatBytes(stats.bytesFetched)} fetched in ${plural(stats.requests, "request")}`;
  const blocks = [
    stats.blocksDecoded > 0 ? `${plural(stats.blocksDecoded, "block")} decoded` : "",
    stats.blocksFromHeader > 0 ? `${formatCount(stats.blocksFromHeader)} from headers` : "",
  ].filter((part) => part !== "");
  return [
    stats.where === "page" ? "Computed in this page" : "Computed by the server",
    `${plural(stats.points, "point")} scanned`,
    ...(blocks.length > 0 ? [blocks.join(", ")] : []),
    fetched,
    formatMillis(stats.millis),
  ]
    .map((part) => part.replaceAll(" ", "\u00a0"))
    .join(" · ");
}
