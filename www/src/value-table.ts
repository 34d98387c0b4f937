import { h } from "./dom";
import { type Unit, formatValue } from "./format";
import { type Threshold, toneOf } from "./spec";
import { STATS, lineStats } from "./stats";
import { PlainView } from "./view";

/** A row a line, and what it comes to over the range. */
export class TableView extends PlainView {
  constructor(
    host: HTMLElement,
    private readonly options: { unit: Unit; title: string; thresholds?: readonly Threshold[] },
  ) {
    super(host);
    host.classList.add("scrolls");
  }

  protected draw(): void {
    const { unit, title, thresholds } = this.options;
    const rows = this.lines.flatMap(({ label, shown }, number) => {
      if (!shown) return [];
      const stats = lineStats(this.data.values[number] ?? []);
      const cells = STATS.map((name) => h("td", { class: "number", "data-tone": toneOf(stats[name], thresholds) ?? "none" }, formatValue(stats[name], unit)));
      return [h("tr", {}, h("th", { scope: "row" }, label), ...cells)];
    });
    const head = h("tr", {}, h("th", { scope: "col" }, "Series"), ...STATS.map((name) => h("th", { scope: "col", class: "number" }, name)));
    this.host.replaceChildren(h("table", { class: "values" }, h("caption", { class: "visually-hidden" }, title), h("thead", {}, head), h("tbody", {}, ...rows)));
  }
}
