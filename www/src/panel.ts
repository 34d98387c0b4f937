import { Chart, type Line } from "./chart";
import { type Aligned, type Points, align, lineLabel, perSecond, valuesAt } from "./data";
import { h, setText } from "./dom";
import { formatDuration, formatSpan, formatValue } from "./format";
import { chartKey } from "./gestures";
import { Legend } from "./legend";
import { IsopointError, type Series, type Source } from "./source";
import { type BoardSpec, type PanelSpec, queryText } from "./spec";
import { StatsLine } from "./stats-line";
import { type Span, bucketFor, bucketsAround, contains } from "./timerange";

export interface PanelActions {
  want(span: Span, how: "gesture" | "step"): void;
  reset(): void;
}

/** One query over time, drawn: title, chart, legend, and what the answer took. */
export class Panel {
  readonly element: HTMLElement;
  private readonly chart: Chart;
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
    const header = h("header", {}, h("h2", { id: `title-${id}` }, title), this.width);
    this.element = h("section", { class: spec.wide ? "panel wide" : "panel", "data-testid": `panel-${id}`, "data-state": "loading", "aria-labelledby": `title-${id}` }, header, this.plot, this.legend.element, this.note, this.stats.element);
    this.chart = new Chart(
      {
        unit: spec.unit,
        ...(spec.floor === undefined ? {} : { floor: spec.floor }),
        ...(spec.ceiling === undefined ? {} : { ceiling: spec.ceiling }),
        utc: board.utc,
        sync: board.page,
        want: actions.want,
        reset: actions.reset,
        hover: (row) => this.legend.setValues(valuesAt(this.data.values, row)),
      },
      host,
    );
    this.plot.addEventListener("keydown", (event) => {
      if (!this.span) return;
      const keys = { want: (span: Span) => actions.want(span, "gesture"), reset: actions.reset, move: (by: number) => this.chart.moveCursor(by) };
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
    this.refresh();
  }

  /** Files changed: bytes held may not be those needed. */
  forget(): void {
    this.held = null;
  }

  destroy(): void {
    this.ended = true;
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
      const lines = this.draw(result.series(), bucket);
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

  private draw(series: Series[], bucket: number): number {
    const hidden = this.legend.hidden();
    const now = Date.now();
    const found = series.flatMap((one) => {
      const times = one.timesMillis();
      return this.spec.columns.map((_, number) => {
        const points: Points = { times, values: one.column(`c${number}`)?.numbers() ?? [] };
        return { label: lineLabel(this.spec, one.tags, number), points: this.spec.rate ? perSecond(points, bucket, now) : points };
      });
    });
    const { lead, style, floor } = this.spec;
    found.sort((a, b) => Number(b.label === lead) - Number(a.label === lead));
    const lines = found.map(({ label }, number): Line => {
      const strong = lead === undefined ? found.length <= 4 && style !== "band" : label === lead;
      const high = style === "band" && number % 2 === 1;
      const fill = high ? "band" : strong && floor !== undefined && (style === "area" || found.length === 1) ? "area" : "none";
      return { label, colour: style === "band" ? number >> 1 : number, strong, fill, shown: !hidden.has(label) };
    });
    this.data = align(found.map(({ points }) => points), bucket);
    this.legend.setLines(lines);
    this.chart.show(lines, this.data, this.span ?? { from: 0, to: 1 });
    const current = valuesAt(this.data.values, null);
    this.legend.setValues(valuesAt(this.data.values, this.chart.row));
    const spoken = lines.slice(0, 4).map(({ label }, number) => `${label} ${formatValue(current[number], this.spec.unit)}`);
    const where = this.span ? formatSpan(this.span.from, this.span.to, this.board.utc) : "";
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
    const { measurement, columns } = this.spec;
    const extent = await this.source.extent(this.board.database, measurement, columns[0]?.field ?? "").catch(() => null);
    if (this.ended) return;
    const outside = extent !== null && (extent.to < span.from || extent.from > span.to);
    const show = outside && h("button", { type: "button", click: () => this.actions.want(extent, "step") }, "Show where they are");
    this.overlay.replaceChildren(
      h("strong", {}, extent === null ? "Nothing recorded yet" : "No points in this range"),
      h("span", { class: "quiet" }, extent === null ? `No point of ${measurement} has arrived.` : `Points lie in ${formatSpan(extent.from, extent.to, this.board.utc)}.`),
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
