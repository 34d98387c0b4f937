import { Chart, type Line } from "./chart";
import { CALLS, type Question, ask } from "./compare";
import { Completion } from "./completion";
import { type Points, align } from "./data";
import { h, setText } from "./dom";
import { Editor } from "./editor";
import { formatMillis, plural } from "./format";
import { type AnswerSeries, lines as facetteLines } from "./graphs";
import { LANGUAGES, type Language } from "./highlight";
import type { Source } from "./source";
import { type Span, bucketFor } from "./timerange";
import { LOCAL } from "./zone";

const NAMES: Record<Language, { title: string; words: string }> = {
  influxql: { title: "InfluxQL", words: "GET /query" },
  datadog: { title: "Datadog", words: "GET /api/v1/query" },
  facette: { title: "Facette", words: "POST /api/v1/series/points" },
  grafana: { title: "Grafana", words: "POST /api/ds/query" },
};
const RANGES: [text: string, millis: number][] = [["15 minutes", 900_000], ["1 hour", 3_600_000], ["6 hours", 21_600_000], ["1 day", 86_400_000]];
/** Lines of one chart, and series that Facette is asked for. */
const MOST = 12;

/** What an answer comes to, whatever the language. */
interface Answer {
  found: { label: string; points: Points }[];
  millis: number;
}

/** The same question in the four languages, each of them answered by the engine in this page. */
export class ComparePage {
  readonly element: HTMLElement;
  private readonly database = h("select", { "data-testid": "compare-database" });
  private readonly measurement = h("select", { "data-testid": "compare-measurement" });
  private readonly field = h("select", { "data-testid": "compare-field" });
  private readonly call = h("select", { "data-testid": "compare-call" }, ...CALLS.map((call) => h("option", { value: call }, call)));
  private readonly tag = h("select", { "data-testid": "compare-tag" });
  private readonly range = h("select", { "data-testid": "compare-range" }, ...RANGES.map(([text, millis]) => h("option", { value: millis }, text)));
  private readonly problem = h("div", { class: "query-error", role: "alert", hidden: true });
  private readonly cards: Card[];
  private span: Span = { from: 0, to: 1 };

  constructor(private readonly source: Source) {
    const completion = new Completion(source);
    this.cards = LANGUAGES.map((language) => new Card(language, source, completion, () => this.database.value, () => this.span));
    const label = (text: string, control: HTMLElement): HTMLElement => h("label", {}, text, control);
    const form = h("fieldset", { class: "graph-row" }, h("legend", {}, "Question"), label("Database", this.database), label("Measurement", this.measurement), label("Field", this.field), label("Function", this.call), label("By", this.tag), label("Range", this.range), h("button", { type: "button", class: "primary", "data-testid": "compare-ask", click: () => void this.attempt(() => this.ask()) }, "Ask in all four"));
    this.element = h("div", { class: "board compare", "data-testid": "board-compare", "data-state": "loading" }, h("div", { class: "heading" }, h("h1", {}, "Side by side"), h("span", { class: "quiet" }, "One question in four languages, all answered in this page")), form, this.problem, h("div", { class: "grid" }, ...this.cards.map(({ element }) => element)));
    this.database.addEventListener("change", () => void this.attempt(() => this.fillNames()));
    this.measurement.addEventListener("change", () => void this.attempt(() => this.fillColumns()));
    void this.attempt(async () => {
      options(this.database, (await source.databases()).filter((name) => name !== ""));
      await this.fillNames();
      this.element.dataset["state"] = "ready";
    });
  }

  show(): void {
    // All that the page shows is chosen on it.
  }

  destroy(): void {
    for (const card of this.cards) card.destroy();
  }

  /** Names of what is chosen by now: whoever chooses again does not get those of the choice before. */
  private async fillNames(): Promise<void> {
    const database = this.database.value;
    const names = await this.names("SHOW MEASUREMENTS", "name");
    if (database !== this.database.value) return;
    options(this.measurement, names);
    await this.fillColumns();
  }

  private async fillColumns(): Promise<void> {
    const chosen = (): string => JSON.stringify([this.database.value, this.measurement.value]);
    const before = chosen();
    const from = `FROM "${this.measurement.value.replaceAll('"', '\\"')}"`;
    const fields = await this.names(`SHOW FIELD KEYS ${from}`, "fieldKey");
    const tags = await this.names(`SHOW TAG KEYS ${from}`, "tagKey");
    if (before !== chosen()) return;
    options(this.field, fields);
    options(this.tag, ["", ...tags], "all together");
  }

  private async names(text: string, column: string): Promise<string[]> {
    const result = await this.source.query(text, this.database.value);
    return result.series().flatMap((series) => {
      const names = series.column(column);
      return Array.from({ length: names?.values.length ?? 0 }, (_, row) => String(names?.get(row)));
    });
  }

  private async ask(): Promise<void> {
    const to = Math.ceil(Date.now() / 60_000) * 60_000;
    this.span = { from: to - Number(this.range.value), to };
    const bucket = Math.max(bucketFor(this.span, 400, 1000) / 1000, 1);
    const [database, measurement, field, tag] = [this.database.value, this.measurement.value, this.field.value, this.tag.value];
    const call = CALLS.find((call) => call === this.call.value) ?? "mean";
    const series = await this.facetteSeries(database, measurement, field);
    const question: Question = { database, measurement, field, call, tag, span: this.span, bucket, series };
    await Promise.all(this.cards.map((card) => card.put(ask(card.language, question))));
  }

  /** As the catalog in this page names the series of a field. */
  private async facetteSeries(origin: string, measurement: string, field: string): Promise<Question["series"]> {
    const list = async (path: string, parameters: Record<string, string>): Promise<string[]> => {
      const answer = await this.source.exchange({ method: "GET", url: `/api/v1/catalog/${path}?${new URLSearchParams(parameters)}` });
      return answer.status === 200 ? (JSON.parse(new TextDecoder().decode(answer.body)) as string[]) : [];
    };
    const found: Question["series"] = [];
    for (const source of await list("sources", { origin })) {
      for (const metric of await list("metrics", { origin, source })) {
        if (metric === `${measurement}.${field}` || (metric.startsWith(`${measurement}.`) && metric.endsWith(`.${field}`))) found.push({ name: `${source} ${metric}`, origin, source, metric });
        if (found.length === MOST) return found;
      }
    }
    return found;
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    this.problem.hidden = true;
    try {
      await work();
    } catch (error) {
      setText(this.problem, error instanceof Error ? error.message : String(error));
      this.problem.hidden = false;
    }
  }
}

/** One language: its text, its answer, its chart. */
class Card {
  readonly element: HTMLElement;
  private readonly editor: Editor;
  private readonly host = h("div", { class: "canvas" });
  private readonly said = h("p", { class: "stats", role: "status" });
  private readonly problem = h("div", { class: "query-error", role: "alert", hidden: true });
  private readonly chart: Chart;

  constructor(
    readonly language: Language,
    private readonly source: Source,
    completion: Completion,
    private readonly database: () => string,
    private readonly span: () => Span,
  ) {
    const { title, words } = NAMES[language];
    this.editor = new Editor(() => (this.problem.hidden = true), language, { completion, database }, title, `compare-${language}`);
    this.chart = new Chart({ unit: "number", zone: () => LOCAL, sync: "compare", want: (span) => this.chart.setSpan(span), reset: () => this.chart.setSpan(this.span()), hover: () => undefined }, this.host);
    const run = h("button", { type: "button", "data-testid": `compare-run-${language}`, click: () => void this.run() }, "Run");
    this.element = h("section", { class: "panel", "aria-label": title, "data-testid": `compare-card-${language}`, "data-state": "idle" }, h("header", {}, h("h2", {}, title), h("code", { class: "quiet" }, words), h("span", { class: "spring" }), run), this.editor.element, this.problem, h("div", { class: "plot" }, this.host), this.said);
  }

  put(text: string): Promise<void> {
    this.editor.text = text;
    return this.run();
  }

  destroy(): void {
    this.chart.destroy();
  }

  private async run(): Promise<void> {
    this.problem.hidden = true;
    try {
      const { found, millis } = await this.answer(this.editor.text);
      const shown = found.slice(0, MOST);
      const lines = shown.map(({ label }, number): Line => ({ label, colour: number, strong: shown.length <= 4, fill: "none", shown: true }));
      this.chart.show(lines, align(shown.map(({ points }) => points), Infinity), this.span());
      const points = found.reduce((sum, { points }) => sum + Array.from(points.values).filter((value) => value !== null).length, 0);
      setText(this.said, `${plural(found.length, "line")}, ${plural(points, "point")} · computed in this page in ${formatMillis(millis)}`);
      Object.assign(this.element.dataset, { state: "ready", lines: String(found.length), points: String(points) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.editor.markError(message);
      setText(this.problem, message);
      this.problem.hidden = false;
      this.element.dataset["state"] = "error";
    }
  }

  private async answer(text: string): Promise<Answer> {
    const began = performance.now();
    const found = await this.lines(text);
    return { found, millis: performance.now() - began };
  }

  private async lines(text: string): Promise<Answer["found"]> {
    const { from, to } = this.span();
    if (this.language === "influxql") {
      const result = await this.source.query(text, this.database());
      return result.series().flatMap((series) => series.columns.filter(({ type }) => type !== "string").map((column) => ({ label: [series.name, ...Object.values(series.tags), column.name].join(" "), points: { times: series.timesMillis(), values: column.numbers() } })));
    }
    if (this.language === "datadog") {
      if (this.database() !== "datadog") throw new Error("Datadog’s API reads the database “datadog”. Choose it to compare.");
      const series = await this.source.datadog(text, from / 1000, to / 1000 - 1);
      return series.map(({ scope, times, values }) => ({ label: scope, points: { times, values: Array.from(values, (value) => (Number.isNaN(value) ? null : value)) } }));
    }
    const request: unknown = JSON.parse(text);
    if (this.language === "facette") {
      const answer = (await this.source.points(request as object)) as { series: AnswerSeries[] | null };
      const series = answer.series ?? [];
      return facetteLines({ series, options: {} }).map((points, at) => ({ label: series[at]?.name ?? "", points }));
    }
    const frames = await this.source.frames(request as Parameters<Source["frames"]>[0]);
    return frames.flatMap(({ fields }) => {
      const times = fields.find(({ type }) => type === "time")?.values as Float64Array | undefined;
      return fields.filter(({ type }) => type === "number").map(({ name, labels, values }) => ({ label: [name, ...Object.values(labels)].join(" "), points: { times: times ?? [], values: Array.from(values as Float64Array, (value) => (Number.isNaN(value) ? null : value)) } }));
    });
  }
}

function options(select: HTMLSelectElement, names: string[], empty = ""): void {
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => h("option", { value: name }, name === "" ? empty : name)));
  if (names.includes(chosen)) select.value = chosen;
}
