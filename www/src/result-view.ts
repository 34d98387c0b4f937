import { Chart, type Line } from "./chart";
import { type Points, align, valuesAt } from "./data";
import { h } from "./dom";
import { formatCount, formatNanos, plural } from "./format";
import { Legend } from "./legend";
import type { QueryResult, Series } from "./source";
import { type Span, resolve } from "./timerange";
import { UTC } from "./zone";

const MOST_LINES = 12;
const MOST_ROWS = 500;

/** A query's answer: what can be drawn as a chart, and all of it as tables. */
export class ResultView {
  readonly element = h("div", { class: "result", "data-testid": "query-result" });
  private chart: Chart | null = null;
  private legend: Legend | null = null;

  show(result: QueryResult): void {
    this.clear();
    const series = result.results.flatMap((statement) => statement.series);
    if (series.length === 0) {
      this.element.append(h("p", { class: "quiet", "data-testid": "query-empty" }, "No rows. The statement ran; nothing matched it."));
      return;
    }
    this.draw(series);
    let rowsLeft = MOST_ROWS;
    for (const one of series) {
      const shown = Math.min(rows(one), rowsLeft);
      if (shown === 0 && rows(one) > 0) break;
      this.element.append(table(one, shown));
      rowsLeft -= shown;
    }
    const all = series.reduce((sum, one) => sum + rows(one), 0);
    if (all > MOST_ROWS) this.element.append(h("p", { class: "quiet" }, `The first ${formatCount(MOST_ROWS)} of ${formatCount(all)} rows are listed; the CSV has them all.`));
  }

  clear(): void {
    this.chart?.destroy();
    this.legend?.destroy();
    this.chart = this.legend = null;
    this.element.replaceChildren();
  }

  private draw(series: Series[]): void {
    const found = series.filter((one) => one.times.length > 1).flatMap((one) => linesOf(one));
    const drawn = found.slice(0, MOST_LINES);
    const [first, last] = [Math.min(...drawn.map(({ points }) => points.times[0] ?? 0)), Math.max(...drawn.map(({ points }) => points.times[points.times.length - 1] ?? 0))];
    if (drawn.length === 0 || !(last > first)) return;
    // What a pause is, nobody said here: lines break only where the answer has a null.
    const data = align(drawn.map(({ points }) => points), Infinity);
    const all = resolve({ kind: "all" }, last, { from: first, to: last });
    const lines = drawn.map(({ label }, number): Line => ({ label, colour: number, strong: drawn.length <= 4, fill: "none", shown: true }));
    const host = h("div", { class: "canvas" });
    const legend = new Legend("number", (line, shown) => this.chart?.toggle(line, shown));
    const more = found.length > drawn.length && h("p", { class: "quiet" }, `${plural(found.length - drawn.length, "more line")} left out of the chart.`);
    this.element.append(h("section", { class: "panel", "aria-label": "Chart of the result", "data-testid": "query-chart", "data-state": "ready" }, h("header", {}, h("h2", {}, "Chart"), h("span", { class: "bucket" }, "times are UTC")), h("div", { class: "plot" }, host), legend.element, more));
    const want = (span: Span): void => this.chart?.setSpan(span);
    this.chart = new Chart({ unit: "number", zone: () => UTC, sync: "query", want, reset: () => want(all), hover: (row) => legend.setValues(valuesAt(data.values, row)) }, host);
    this.legend = legend;
    legend.setLines(lines);
    this.chart.show(lines, data, all);
    legend.setValues(valuesAt(data.values, null));
  }
}

function linesOf(series: Series): { label: string; points: Points }[] {
  const numeric = series.columns.filter(({ type }) => type !== "string");
  const descending = (series.times[0] ?? 0n) > (series.times[series.times.length - 1] ?? 0n);
  const times = descending ? series.timesMillis().reverse() : series.timesMillis();
  return numeric.map((column) => {
    const values = column.numbers();
    if (descending) values.reverse();
    return { label: `${title(series)} ${column.name}`, points: { times, values } };
  });
}

function title({ name, tags }: Series): string {
  const list = Object.entries(tags).map(([tag, value]) => `${tag}=${value}`).join(",");
  return list === "" ? name : `${name},${list}`;
}

/** Answers about names, such as SHOW's, have no times. */
function rows({ times, columns }: Series): number {
  return Math.max(times.length, columns[0]?.values.length ?? 0);
}

function table(series: Series, shown: number): HTMLElement {
  const timed = series.times.length > 0;
  const head = h("tr", {}, timed && h("th", { scope: "col" }, "time"), ...series.columns.map(({ name, type }) => h("th", { scope: "col", class: type === "string" ? "" : "number" }, name)));
  const body = Array.from({ length: shown }, (_, row) => {
    const cells = series.columns.map((column) => {
      const value = column.get(row);
      return h("td", { class: column.type === "string" ? "" : "number" }, value === null ? h("span", { class: "null", title: "no value" }, "–") : String(value));
    });
    return h("tr", {}, timed && h("td", { class: "time" }, formatNanos(series.times[row] ?? 0n)), ...cells);
  });
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": `Rows of ${title(series)}` },
    h("table", {}, h("caption", {}, title(series), " ", h("span", { class: "quiet" }, plural(rows(series), "row"))), h("thead", {}, head), h("tbody", {}, ...body)),
  );
}
