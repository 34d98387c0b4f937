import { Chart, type Line } from "./chart";
import { align } from "./data";
import { atMostEvery, h, setText } from "./dom";
import { GraphSource } from "./graph-source";
import { GraphTable } from "./graph-table";
import { CONSOLIDATIONS, type Graph, type GraphGroup, type GraphSeries, OPERATORS, type PointsRequest, type Stack, curl, lines, percentiles, stacked, timeText } from "./graphs";
import type { Source } from "./source";
import { StatsLine } from "./stats-line";
import { DAY, type Span } from "./timerange";
import { LOCAL } from "./zone";

const RANGES: [text: string, millis: number][] = [
  ["15 minutes", 900_000],
  ["1 hour", 3_600_000],
  ["6 hours", 6 * 3_600_000],
  ["1 day", DAY],
  ["1 week", 7 * DAY],
  ["30 days", 30 * DAY],
  ["1 year", 365 * DAY],
  ["10 years", 3652 * DAY],
];
/** What is shown first. */
const FIRST_RANGE = 900_000;
const [LEAST, MOST, SAMPLE] = [10, 2000, 400];
/** How often points that come are drawn. */
const LIVE_MILLIS = 1000;

/** Facette's graphs, computed in the page: series from the catalog, how they are put together, and the library. */
export class GraphPage {
  readonly element: HTMLElement;
  private readonly graphs: GraphSource;
  private readonly origin = h("select", { "data-testid": "graph-origin" });
  private readonly sourceName = h("select", { "data-testid": "graph-source" });
  private readonly metric = h("select", { "data-testid": "graph-metric" });
  private readonly list = h("ul", { class: "graph-series", "data-testid": "graph-series" });
  private readonly operator = choice("graph-operator", OPERATORS.map((text, number) => [text, String(number)]));
  private readonly consolidate = choice("graph-consolidate", CONSOLIDATIONS.map((text, number) => [text, String(number + 1)]));
  private readonly stack = choice("graph-stack", [["None", "none"], ["Normal", "normal"], ["Percent", "percent"]]);
  private readonly range = choice("graph-range", RANGES.map(([text, millis]) => [text, String(millis)]));
  private readonly sample = h("input", { type: "range", min: LEAST, max: MOST, step: 1, value: SAMPLE, "data-testid": "graph-sample" });
  private readonly sampled = h("output", { "data-testid": "graph-sampled" }, String(SAMPLE));
  private readonly scale = h("input", { type: "number", step: "any", placeholder: "1", "data-testid": "graph-scale" });
  private readonly percentiles = h("input", { type: "text", placeholder: "50, 95", "data-testid": "graph-percentiles" });
  private readonly name = h("input", { type: "text", placeholder: "name", "data-testid": "graph-name" });
  private readonly stored = h("select", { "data-testid": "graph-stored", "aria-label": "Stored graphs" });
  private readonly title = h("h2", { "data-testid": "graph-title" });
  private readonly said = h("span", { class: "quiet", role: "status", "data-testid": "graph-said" });
  private readonly problem = h("div", { class: "query-error", role: "alert", hidden: true, "data-testid": "graph-error" });
  private readonly host = h("div", { class: "canvas", "data-testid": "graph-plot" });
  private readonly chart: Chart;
  private readonly table = new GraphTable();
  private readonly stats = new StatsLine("graph");
  private graph: Graph = { name: "", groups: [group()], options: {} };
  /** The stored graph that is shown, as long as nothing was changed. */
  private id: string | null = null;
  /** A closer look than the range; `null` when the range itself is shown. */
  private zoom: Span | null = null;
  private asked = 0;
  private readonly ask = atMostEvery(25, () => void this.answer());
  private readonly follow = atMostEvery(LIVE_MILLIS, () => this.zoom === null && this.ask());
  private readonly endPoints: () => void;

  constructor(source: Source) {
    this.graphs = new GraphSource(source);
    this.chart = new Chart(
      { unit: "number", zone: () => LOCAL, sync: "graph", want: (span) => this.look(span), reset: () => this.look(null), hover: () => undefined },
      this.host,
    );
    this.range.value = String(FIRST_RANGE);
    const button = (id: string, text: string, click: () => void): HTMLButtonElement => h("button", { type: "button", "data-testid": id, click }, text);
    const pick = h(
      "fieldset", { class: "graph-row" }, h("legend", {}, "Series"),
      label("Origin", this.origin), label("Source", this.sourceName), label("Metric", this.metric),
      button("graph-add", "Add", () => this.add()), this.list,
    );
    const how = h(
      "fieldset", { class: "graph-row" }, h("legend", {}, "Graph"),
      label("Operator", this.operator), label("Consolidation", this.consolidate), label("Scale", this.scale),
      label("Percentiles", this.percentiles), label("Stack", this.stack), label("Range", this.range),
      h("label", { class: "graph-sample" }, "Sample", this.sample, this.sampled),
    );
    const library = h(
      "fieldset", { class: "graph-row" }, h("legend", {}, "Library"),
      this.stored, button("graph-load", "Load", () => void this.attempt(this.load())),
      this.name, button("graph-save", "Save", () => void this.attempt(this.save())),
      h("span", { class: "spring" }), this.said,
      button("graph-curl", "Copy as curl", () => void this.copy(curl(this.graphs.address, this.request()))),
      button("graph-json", "Copy as JSON", () => void this.copy(JSON.stringify(this.request(), null, 2))),
    );
    const panel = h("section", { class: "panel wide" }, h("header", {}, this.title), h("div", { class: "plot" }, this.host), h("div", { class: "graph-scroll" }, this.table.element), this.stats.element);
    this.element = h("div", { class: "board graph-page", "data-testid": "board-graph", "data-state": "loading" }, h("h1", { class: "visually-hidden" }, "Graph"), pick, how, library, this.problem, panel);
    this.origin.addEventListener("change", () => void this.attempt(this.fillSources()));
    this.sourceName.addEventListener("change", () => void this.attempt(this.fillMetrics()));
    for (const control of [this.operator, this.consolidate, this.scale, this.percentiles, this.stack]) control.addEventListener("input", () => this.changed());
    this.range.addEventListener("input", () => this.look(null));
    this.sample.addEventListener("input", () => {
      setText(this.sampled, this.sample.value);
      this.ask();
    });
    this.endPoints = source.onPoints((database) => this.origins().includes(database) && this.follow());
    void this.attempt(this.start());
  }

  show(): void {
    // All that the page shows is chosen on it.
  }

  destroy(): void {
    this.asked = -1;
    this.endPoints();
    this.chart.destroy();
    this.table.destroy();
  }

  private async start(): Promise<void> {
    options(this.origin, await this.graphs.origins());
    await Promise.all([this.fillSources(), this.fillStored()]);
    this.ask();
  }

  private async fillSources(): Promise<void> {
    options(this.sourceName, this.origin.value === "" ? [] : await this.graphs.sources(this.origin.value));
    await this.fillMetrics();
  }

  private async fillMetrics(): Promise<void> {
    options(this.metric, this.sourceName.value === "" ? [] : await this.graphs.metrics(this.origin.value, this.sourceName.value));
  }

  private async fillStored(): Promise<void> {
    const graphs = await this.graphs.graphs();
    this.stored.replaceChildren(...graphs.map(({ id, name }) => h("option", { value: id }, name)));
    if (this.id !== null) this.stored.value = this.id;
  }

  private add(): void {
    const [origin, source, metric] = [this.origin.value, this.sourceName.value, this.metric.value];
    if (metric === "") return;
    this.first().series.push({ name: `${source} ${metric}`, origin, source, metric });
    this.changed();
  }

  /** The group that the controls are for. */
  private first(): GraphGroup {
    const [first] = this.graph.groups;
    if (first) return first;
    const made = group();
    this.graph.groups.push(made);
    return made;
  }

  /** Reads the controls into the graph, which is one of its own from here on. */
  private changed(): void {
    this.id = null;
    const first = this.first();
    first.operator = Number(this.operator.value);
    first.consolidate = Number(this.consolidate.value);
    if (first.operator !== 0 && first.name === "") first.name = OPERATORS[first.operator] ?? "";
    const scale = Number(this.scale.value);
    set((first.options ??= {}), "scale", this.scale.value === "" || !Number.isFinite(scale) ? undefined : scale);
    const wanted = percentiles(this.percentiles.value);
    set(this.graph.options, "percentiles", wanted.length === 0 ? undefined : wanted);
    set(this.graph.options, "stack_mode", this.stack.value === "none" ? undefined : this.stack.value);
    this.listSeries();
    this.ask();
  }

  /** Shows the graph's choices in the controls. */
  private toControls(): void {
    const first = this.first();
    this.operator.value = String(first.operator);
    this.consolidate.value = String(first.consolidate || 1);
    this.scale.value = typeof first.options?.["scale"] === "number" ? String(first.options["scale"]) : "";
    const wanted = this.graph.options["percentiles"];
    this.percentiles.value = Array.isArray(wanted) ? wanted.join(", ") : "";
    this.stack.value = this.stacking();
    this.name.value = this.graph.name;
    this.listSeries();
  }

  private listSeries(): void {
    const item = (series: GraphSeries, group: GraphGroup): HTMLElement => {
      const remove = h("button", { type: "button", class: "icon", "aria-label": `Remove ${series.name}`, click: () => {
        group.series = group.series.filter((other) => other !== series);
        this.changed();
      } }, "×");
      return h("li", {}, h("span", {}, series.name), h("span", { class: "quiet" }, series.origin), remove);
    };
    this.list.replaceChildren(...this.graph.groups.flatMap((group) => group.series.map((series) => item(series, group))));
  }

  private stacking(): Stack {
    const mode = this.graph.options["stack_mode"];
    return mode === "normal" || mode === "percent" ? mode : "none";
  }

  private origins(): string[] {
    return this.graph.groups.flatMap(({ series }) => series.map(({ origin }) => origin)).filter((origin) => origin !== "");
  }

  private span(): Span {
    const now = Date.now();
    return this.zoom ?? { from: now - Number(this.range.value), to: now };
  }

  private look(span: Span | null): void {
    this.zoom = span;
    if (span) this.chart.setSpan(span);
    this.ask();
  }

  private request(span = this.span()): PointsRequest {
    const what = this.id === null ? { graph: this.graph } : { id: this.id };
    return { ...what, start_time: timeText(span.from), end_time: timeText(span.to), sample: Number(this.sample.value), normalize: true };
  }

  /** Asks for what the controls say; of answers that overtake each other the newest question's counts. */
  private async answer(): Promise<void> {
    if (this.asked < 0) return;
    const number = (this.asked += 1);
    const span = this.span();
    try {
      const { answer, stats } = await this.graphs.points(this.request(span), this.origins());
      if (number !== this.asked) return;
      const stack = this.stacking();
      const { times, values } = align(lines(answer), Infinity);
      const columns = stacked(values, stack);
      const drawn = answer.series.map(({ name }, place): Line => ({
        label: `${place} ${name}`, colour: place, strong: false, shown: true,
        fill: stack === "none" ? (this.graph.options["type"] === "area" ? "area" : "none") : place === 0 ? "area" : "band",
      }));
      this.chart.show(drawn, { times, values: columns }, span);
      this.table.show(answer.series);
      this.stats.show(stats);
      const title = answer.options.title;
      setText(this.title, typeof title === "string" && title !== "" ? title : "Untitled graph");
      this.problem.hidden = true;
      this.element.dataset["state"] = "ready";
      this.element.dataset["points"] = String(Math.max(0, ...answer.series.map(({ points }) => points?.length ?? 0)));
      this.element.dataset["answer"] = String(number);
    } catch (error) {
      if (number === this.asked) this.fail(error);
    }
  }

  private async load(): Promise<void> {
    if (this.stored.value === "") return;
    const id = this.stored.value;
    this.graph = await this.graphs.graph(id);
    this.id = id;
    this.toControls();
    this.say("Loaded");
    this.ask();
  }

  private async save(): Promise<void> {
    this.graph.name = this.name.value.trim();
    this.id = await this.graphs.save(this.graph);
    await this.fillStored();
    this.say("Saved");
    this.ask();
  }

  private async copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.say("Copied");
    } catch {
      // Without https or leave the clipboard is closed: the text is shown to be copied by hand.
      this.problem.replaceChildren(h("pre", {}, text));
      this.problem.hidden = false;
    }
  }

  private async attempt(work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => this.fail(error));
  }

  private fail(error: unknown): void {
    this.problem.replaceChildren(error instanceof Error ? error.message : String(error));
    this.problem.hidden = false;
    this.element.dataset["state"] = "failed";
  }

  private say(text: string): void {
    setText(this.said, text);
    setTimeout(() => setText(this.said, ""), 2000);
  }
}

function group(): GraphGroup {
  return { name: "", operator: 0, consolidate: 1, series: [] };
}

function label(text: string, control: HTMLElement): HTMLElement {
  return h("label", {}, text, control);
}

function choice(id: string, entries: string[][]): HTMLSelectElement {
  return h("select", { "data-testid": id }, ...entries.map(([text, value]) => h("option", { value: value ?? "" }, text)));
}

/** Puts names into a list; the chosen one stays if it is still there. */
function options(select: HTMLSelectElement, names: string[]): void {
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
  if (names.includes(chosen)) select.value = chosen;
}

function set(object: Record<string, unknown>, name: string, value: unknown): void {
  if (value === undefined) delete object[name];
  else object[name] = value;
}
