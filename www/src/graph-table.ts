import { colour } from "./chart";
import { h } from "./dom";
import { formatValue } from "./format";
import type { AnswerSeries } from "./graphs";
import { onTheme } from "./theme";

/** What Facette shows below a graph: every series with its minimum, maximum, average, last value and percentiles. */
export class GraphTable {
  private readonly body = h("tbody");
  private readonly head = h("tr");
  readonly element = h("table", { class: "graph-table", "data-testid": "graph-table" }, h("thead", {}, this.head), this.body);
  private series: AnswerSeries[] = [];
  private readonly endTheme = onTheme(() => this.show(this.series));

  show(series: AnswerSeries[]): void {
    this.series = series;
    const columns = ["min", "max", "avg", "last"];
    for (const { summary } of series) for (const key of Object.keys(summary)) if (!columns.includes(key)) columns.push(key);
    this.head.replaceChildren(h("th", { scope: "col" }, "Series"), ...columns.map((column) => h("th", { scope: "col" }, column)));
    this.body.replaceChildren(
      ...series.map(({ name, summary }, number) => {
        const swatch = h("i", { class: "swatch strong" });
        swatch.style.setProperty("--swatch", colour(number));
        const cells = columns.map((column) => h("td", { title: String(summary[column] ?? "") }, formatValue(summary[column], "number")));
        return h("tr", {}, h("th", { scope: "row" }, swatch, h("span", {}, name)), ...cells);
      }),
    );
  }

  destroy(): void {
    this.endTheme();
  }
}
