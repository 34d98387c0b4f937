import { Chart, type Line, type Mark } from "./chart";
import { type Aligned, type Points, align, lineLabel, ownLabel, perSecond, stack, valuesAt } from "./data";
import { h, setText } from "./dom";
import { formatDuration, formatSpan, formatValue } from "./format";
import { chartKey } from "./gestures";
import { Legend } from "./legend";
import { IsopointError, type Series, type Source } from "./source";
import { type BoardSpec, type PanelSpec, extentField, queryText } from "./spec";
import { HeatmapView } from "./heatmap";
import { StatsLine } from "./stats-line";
import { GaugeView, StatView } from "./tiles";
import { type Span, bucketFor, bucketsAround, contains } from "./timerange";
import { TableView } from "./value-table";
import type { View } from "./view";
import { Why } from "./why";
import type { Zone } from "./zone";

export interface PanelActions {
  want(span: Span, how: "gesture" | "step"): void;
  reset(): void;
  zone(): Zone;
}

/** How late an answer may be before a chart that follows the clock is called coarse. */
const LATE_MILLIS = 1000;

/** One query over time, drawn: title, chart, legend, and what the answer took. */
export class Panel {
  readonly element: HTMLElement;
  private readonly chart: View;
  private readonly why: Why;
  /** Says whether what is drawn is for just this span. */
  private readonly exactness = h("span", { class: "exactness" });
  private readonly statsButton = h("button", { type: "button", class: "quiet-button small", "aria-pressed": "false", title: "Least, greatest and mean of each line" }, "Statistics");
  /** Tags and column of each line. */
  private sources: { tags: Record<string, string>; column: number }[] = [];
  private labels: string[] = [];
  private bucket = 0;
  private readonly legend: Legend;
  private readonly stats: StatsLine;
  private readonly plot: HTMLElement;
  private readonly overlay = h("div", { class: "overlay" });
  private readonly note = h("p", { class: "note", hidden: true });
  private readonly width = h("span", { class: "bucket" });
  private data: Aligned = { times: [], values: [] };
  private span: Span | null = null;
  /** The whole range that this look is a part of; closer looks shall stay without requests. */
  private range: Span | null = null;
  private live = false;
  private late: number | undefined;
  /** The span that what is drawn was asked for. */
  private answered: Span | null = null;
  /** What the page holds all bytes of, so that no closer look asks for more. */
  private held: Span | null = null;
  private busy = false;
  private again = false;
  private ended = false;
  private visible = true;
  /** Something came while nobody could see it. */
  private missed = false;
  private readonly sight: IntersectionObserver;

  constructor(
    private readonly spec: PanelSpec,
    private readonly board: BoardSpec,
    private readonly source: Source,
    private readonly actions: PanelActions,
  ) {
    const { id, title } = spec;
    const host = h("div", { class: "canvas" });
    this.plot = h(
      "div",
      { class: "plot", tabindex: 0, role: "application", "aria-roledescription": "chart", "aria-label": title, "aria-describedby": "chart-keys" },
      host,
      this.overlay,
    );
    this.legend = new Legend(spec.unit, (line, shown) => this.chart.toggle(line, shown));
    this.stats = new StatsLine(id);
    this.why = new Why(source, board.database);
    this.statsButton.addEventListener("click", () => {
      this.statsButton.setAttribute("aria-pressed", String(this.statsButton.getAttribute("aria-pressed") !== "true"));
      this.showStats();
    });
    const plain = spec.style === "stat" || spec.style === "gauge" || spec.style === "table";
    this.statsButton.hidden = plain || spec.style === "heatmap";
    this.legend.element.hidden = plain || spec.style === "heatmap";
    const header = h("header", {}, h("h2", { id: `title-${id}` }, title), this.exactness, h("span", { class: "spring" }), this.statsButton, this.width);
    this.element = h("section", { class: spec.wide ? "panel wide" : "panel", "data-testid": `panel-${id}`, "data-state": "loading", "aria-labelledby": `title-${id}` }, header, this.plot, this.legend.element, this.note, this.why.element, this.stats.element);
    this.chart = this.view(host);
    this.plot.addEventListener("keydown", (event) => {
      if (!this.span) return;
      const keys = { want: (span: Span) => actions.want(span, "gesture"), reset: actions.reset, move: (by: number) => this.chart.moveCursor(by), pick: () => this.chart.pick() };
      if (chartKey(event, this.span, keys)) event.preventDefault();
    });
    this.sight = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1)?.isIntersecting ?? true;
      if (this.visible && this.missed) this.refresh();
    }, { rootMargin: "200px" });
    this.sight.observe(this.element);
    this.overlay.replaceChildren(h("div", { class: "skeleton", "aria-hidden": "true" }), h("span", { class: "quiet" }, "Loading…"));
  }

  /**
   * Shows a span: at once with the points at hand, then with its own. `range` is what it is a part of; `live`: the
   * range's end is now, and moves.
   */
  show(span: Span, range: Span, live: boolean): void {
    this.span = span;
    this.range = range;
    this.live = live;
    this.chart.setSpan(span);
    clearTimeout(this.late);
    const exact = this.answered !== null && this.answered.from === span.from && this.answered.to === span.to;
    // A range that follows the clock moves all the time: what its next answer is late for is worth a word, not more.
    if (exact || !live || span !== range) this.setExact(exact);
    else this.late = setTimeout(() => this.setExact(false), LATE_MILLIS);
    this.refresh();
  }

  /** Marks moments in the chart. */
  setMarks(marks: Mark[]): void {
    this.chart.setMarks(marks);
  }

  /** The time zone has changed. */
  rebuild(): void {
    this.chart.rebuild();
  }

  /** Files changed: bytes held may not be those needed. */
  forget(): void {
    this.held = null;
  }

  destroy(): void {
    this.ended = true;
    clearTimeout(this.late);
    this.sight.disconnect();
    this.legend.destroy();
    this.chart.destroy();
  }

  /** Answers the latest span; spans that came and went meanwhile are skipped. */
  private refresh(): void {
    if (this.busy) {
      this.again = true;
      return;
    }
    // Out of sight the first answer is enough; the next comes when it is seen.
    this.missed = !this.visible && this.element.dataset["state"] !== "loading";
    if (!this.span || this.missed) return;
    this.busy = true;
    void this.answer(this.span).finally(() => {
      this.busy = false;
      if (this.again && !this.ended) {
        this.again = false;
        this.refresh();
      }
    });
  }

  private async answer(span: Span): Promise<void> {
    const bucket = bucketFor(span, this.chart.plotWidth / (this.spec.spread ?? 1), this.spec.interval);
    const text = queryText(this.spec, bucketsAround(span, bucket), bucket);
    try {
      const result = await this.source.query(text, this.board.database);
      if (this.ended) return;
      this.bucket = bucket;
      const lines = this.draw(result.series(), bucket);
      this.answered = span;
      clearTimeout(this.late);
      this.setExact((this.live && this.span === this.range) || (this.span?.from === span.from && this.span.to === span.to));
      this.stats.show(result.stats);
      setText(this.width, `${this.spec.rate ? "per second · " : ""}${formatDuration(bucket)} buckets`);
      this.width.title = text;
      this.element.dataset["bucket"] = formatDuration(bucket);
      if (lines === 0) await this.empty(span);
      else this.setState("ready");
      await this.prefetch(this.range ?? span);
    } catch (error) {
      if (!this.ended) this.fail(error);
    }
  }

  private view(host: HTMLElement): View {
    const { spec, board, actions } = this;
    const { unit, title, style } = spec;
    const limits = {
      ...(spec.floor === undefined ? {} : { floor: spec.floor }),
      ...(spec.ceiling === undefined ? {} : { ceiling: spec.ceiling }),
      ...(spec.thresholds === undefined ? {} : { thresholds: spec.thresholds }),
    };
    if (style === "stat") return new StatView(host, { unit, ...limits });
    if (style === "gauge") return new GaugeView(host, { unit, ...limits });
    if (style === "table") return new TableView(host, { unit, title, ...limits });
    if (style === "heatmap") return new HeatmapView(host, { unit, title, ...limits });
    return new Chart(
      {
        unit,
        ...limits,
        zone: actions.zone,
        sync: board.page,
        want: actions.want,
        reset: actions.reset,
        hover: (row) => this.legend.setValues(valuesAt(this.data.values, row)),
        pick: (row, line) => this.explain(row, line),
      },
      host,
    );
  }

  /** Shows the stored points behind a drawn one. */
  private explain(row: number, line: number): void {
    const [source, time] = [this.sources[line], this.data.times[row]];
    if (!source || time === undefined) return;
    const from = Math.round(time * 1000);
    const label = this.labels[line] ?? "";
    void this.why.show(this.spec, { label, value: this.data.values[line]?.[row] ?? null, bucket: { from, to: from + this.bucket }, ...source });
  }

  private showStats(): void {
    this.legend.setStats(this.statsButton.getAttribute("aria-pressed") === "true" ? this.data.values : null);
  }

  /** A look that is not answered yet shows the points of the one before: coarser, or not all of them. */
  private setExact(exact: boolean): void {
    this.element.dataset["exact"] = String(exact);
    setText(this.exactness, this.chart.rows === 0 ? "" : exact ? "exact" : "coarse");
    this.exactness.title = exact ? "Every point of this range is in these lines" : "Drawn from the points of the view before; exact ones are on their way";
  }

  private draw(series: Series[], bucket: number): number {
    const hidden = this.legend.hidden();
    const now = Date.now();
    const found = series.flatMap((one) => {
      const times = one.timesMillis();
      // A query of the panel's own has the columns that it has.
      const columns = this.spec.query === undefined ? this.spec.columns.map((_, number) => one.column(`c${number}`)) : one.columns.filter(({ type }) => type !== "string");
      return columns.map((column, number) => {
        const points: Points = { times, values: column?.numbers() ?? [] };
        const label = this.spec.query === undefined ? lineLabel(this.spec, one.tags, number) : ownLabel(one, column?.name ?? "", columns.length > 1);
        return { label, tags: one.tags, column: number, points: this.spec.rate ? perSecond(points, bucket, now) : points };
      });
    });
    const { lead, style, floor } = this.spec;
    found.sort((a, b) => Number(b.label === lead) - Number(a.label === lead));
    const lines = found.map(({ label }, number): Line => {
      const strong = lead === undefined ? found.length <= 4 && style !== "band" : label === lead;
      const high = (style === "band" && number % 2 === 1) || (style === "stacked" && number > 0);
      const area = style === "stacked" || style === "area" ? strong || lead === undefined : strong && floor !== undefined && found.length === 1;
      const mark = style === "bars" || style === "points" ? { mark: style } : {};
      return { label, colour: style === "band" ? number >> 1 : number, strong, fill: high ? "band" : area ? "area" : "none", shown: !hidden.has(label), ...mark };
    });
    this.sources = found.map(({ tags, column }) => ({ tags, column }));
    this.labels = found.map(({ label }) => label);
    this.data = align(found.map(({ points }) => points), bucket);
    this.legend.setLines(lines);
    this.chart.show(lines, style === "stacked" ? stack(this.data) : this.data, this.span ?? { from: 0, to: 1 });
    this.showStats();
    const current = valuesAt(this.data.values, null);
    this.legend.setValues(valuesAt(this.data.values, this.chart.row));
    const spoken = lines.slice(0, 4).map(({ label }, number) => `${label} ${formatValue(current[number], this.spec.unit)}`);
    const where = this.span ? formatSpan(this.span.from, this.span.to, this.actions.zone()) : "";
    this.plot.setAttribute("aria-label", `${this.spec.title}, ${where}. ${spoken.join(", ")}`);
    return this.data.times.length;
  }

  /** Fetches, after the first look at a range, all that closer looks will need. */
  private async prefetch(range: Span): Promise<void> {
    if (!contains(this.held, range)) {
      const text = queryText(this.spec, bucketsAround(range, this.spec.interval), this.spec.interval);
      delete this.element.dataset["prefetched"];
      const cost = await this.source.prefetch(text, this.board.database);
      this.held = this.live ? { ...range, to: Infinity } : range;
      if (cost.requests > 0) this.stats.showAhead(cost);
    }
    this.element.dataset["prefetched"] = "true";
  }

  private async empty(span: Span): Promise<void> {
    const field = extentField(this.spec);
    const extent = field && (await this.source.extent(this.board.database, field.measurement, field.field).catch(() => null));
    if (this.ended) return;
    if (!field) {
      this.overlay.replaceChildren(h("strong", {}, "No points in this range"), h("span", { class: "quiet" }, "The query ran and found nothing."));
      this.setState("empty");
      return;
    }
    const outside = extent !== null && (extent.to < span.from || extent.from > span.to);
    const show = outside && h("button", { type: "button", click: () => this.actions.want(extent, "step") }, "Show where they are");
    this.overlay.replaceChildren(
      h("strong", {}, extent === null ? "Nothing recorded yet" : "No points in this range"),
      h("span", { class: "quiet" }, extent === null ? `No point of ${field.measurement} has arrived.` : `Points lie in ${formatSpan(extent.from, extent.to, this.actions.zone())}.`),
      ...(show ? [show] : []),
    );
    this.setState("empty");
  }

  /** An error leaves what is drawn in place and says what is missing; with nothing drawn it takes the chart's place. */
  private fail(error: unknown): void {
    const known = error instanceof IsopointError ? error : new IsopointError("request", String(error));
    if (known.code === "closed" || known.code === "aborted") return;
    const { title, hint } = explain(known);
    if (this.chart.rows > 0) {
      setText(this.note, `${title}. ${hint}`);
      this.setState("stale");
      return;
    }
    this.overlay.replaceChildren(
      h("strong", {}, title),
      h("span", { class: "quiet" }, hint),
      h("button", { type: "button", click: () => this.refresh() }, "Try again"),
      h("details", {}, h("summary", {}, "Details"), h("code", { "data-testid": "panel-error" }, known.message)),
    );
    this.setState("error");
  }

  private setState(state: "ready" | "empty" | "error" | "stale"): void {
    this.note.hidden = state !== "stale";
    if (this.element.dataset["state"] !== state) this.element.dataset["state"] = state;
  }
}

function explain({ code, message }: IsopointError): { title: string; hint: string } {
  switch (code) {
    case "source":
      return { title: "Not in this page, and the server is silent", hint: "What the page already holds still answers; this comes when the server is back." };
    case "budget":
      return { title: "Too much for one look", hint: "This range needs more bytes than a page should fetch at once. Choose a shorter one." };
    case "damaged":
      return { title: "The server sent damaged bytes", hint: "Nothing wrong is drawn. `isopoint verify` checks its files." };
    case "crashed":
      return { title: "The engine in this page stopped", hint: "Reload the page to start it again; nothing at the server is lost." };
    default:
      return { title: "The query was refused", hint: message };
  }
}
