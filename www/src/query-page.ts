import { Completion } from "./completion";
import { type Known, bracesAt, complete, curlDatadog, planText } from "./datadog";
import { DatadogSource, resultOf } from "./datadog-source";
import { h, setText } from "./dom";
import { Editor } from "./editor";
import { FILES } from "./files";
import { formatBytes } from "./format";
import { curl, frozen } from "./influxql";
import { type PastQuery, forgetAll, pastQueries, remember } from "./query-history";
import { ResultView } from "./result-view";
import type { Route, Router } from "./route";
import { IsopointError, type Source, type Verification } from "./source";
import { StatsLine } from "./stats-line";

const EXAMPLES: { database: string; text: string }[] = [
  { database: "_internal", text: 'SELECT mean("usage") FROM "cpu"\nWHERE time > now() - 15m\nGROUP BY time(10s), "cpu" fill(none)' },
  { database: "_internal", text: 'SELECT max("used_percent") FROM "disk" GROUP BY "path"' },
  { database: "_internal", text: "SHOW MEASUREMENTS" },
  { database: "weather", text: 'SELECT max("temp_max"), min("temp_min") FROM "daily"\nGROUP BY time(28d), "location"' },
];

/** How often bytes are compared before they are said to differ. */
const ATTEMPTS = 3;

/** Windows that a query in Datadog's language is asked for, in seconds. */
const WINDOWS: [string, number][] = [["last 15 minutes", 900], ["last hour", 3600], ["last 4 hours", 14_400], ["last day", 86_400], ["last week", 604_800]];

/** A box for InfluxQL or Datadog's language, and its answers. */
export class QueryPage {
  readonly element: HTMLElement;
  private readonly editor: Editor;
  private readonly database = h("select", { "aria-label": "Database", "data-testid": "query-database" });
  private readonly run = h("button", { type: "submit", class: "primary", "data-testid": "query-run" }, "Run");
  private readonly error = h("div", { class: "query-error", role: "alert", "data-testid": "query-error", hidden: true });
  private readonly stats = new StatsLine("query");
  private readonly view = new ResultView();
  private readonly save = h("button", { type: "button", "data-testid": "query-csv", hidden: true }, "Export CSV");
  private readonly verify = h("button", { type: "button", "data-testid": "query-verify", hidden: true, title: "Let the server answer the same, and compare the bytes" }, "Verify with server");
  private readonly hash = h("p", { class: "stats hash", role: "status", "data-testid": "query-hash" });
  private readonly past = h("div", { class: "popover list" });
  private readonly history: HTMLDetailsElement;
  private readonly said = h("span", { class: "quiet", role: "status" });
  private readonly language = h("select", { "aria-label": "Language", "data-testid": "query-language" }, h("option", { value: "influxql" }, "InfluxQL"), h("option", { value: "datadog" }, "Datadog"));
  private readonly window = h("select", { "aria-label": "Window", "data-testid": "query-window" }, ...WINDOWS.map(([text, secs]) => h("option", { value: String(secs) }, text)));
  private readonly windowLabel = h("label", { class: "inline", hidden: true }, "Window", this.window);
  private readonly databaseLabel = h("label", { class: "inline" }, "Database", this.database);
  private readonly plan = h("p", { class: "quiet", "data-testid": "query-plan", hidden: true });
  private readonly offered = h("div", { class: "toolbar", role: "group", "aria-label": "Completion", "data-testid": "query-completion", hidden: true });
  private readonly datadog: DatadogSource;
  private metrics: Promise<string[]> | null = null;
  private running: AbortController | null = null;
  private answered: { text: string; database: string; language?: "datadog" } | null = null;

  constructor(
    private readonly source: Source,
    private readonly router: Router,
  ) {
    const completion = new Completion(source);
    this.editor = new Editor(() => this.clearError(), "influxql", { completion, database: () => this.database.value });
    this.datadog = new DatadogSource(source);
    this.language.addEventListener("change", () => this.speak());
    this.history = h("details", { class: "absolute", toggle: () => this.listPast() }, h("summary", {}, "History"), this.past);
    const copy = h("button", { type: "button", "data-testid": "query-curl", click: () => void this.copyCurl() }, "Copy as curl");
    copy.hidden = source.address === "";
    this.save.addEventListener("click", () => void this.exportCsv());
    this.verify.addEventListener("click", () => void this.compare());
    const bar = h("div", { class: "toolbar" }, h("label", { class: "inline" }, "Language", this.language), this.databaseLabel, this.windowLabel, this.run, h("kbd", { class: "quiet" }, "Ctrl Enter"), h("span", { class: "spring" }), this.said, this.history, copy, this.verify, this.save);
    const form = h("form", { class: "query" }, this.editor.element, this.offered, bar, this.error);
    this.element = h("div", { class: "board query-page", "data-testid": "board-query", "data-state": "ready" }, h("h1", { class: "visually-hidden" }, "Query"), form, this.plan, this.stats.element, this.hash, this.view.element);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.running) this.running.abort();
      else void this.ask();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        void this.ask();
      }
    });
    form.addEventListener("input", () => void this.offer());
    form.addEventListener("keydown", (event) => {
      const first = this.offered.querySelector("button");
      if (event.key !== "Tab" || event.shiftKey || !first || !(event.target instanceof HTMLTextAreaElement)) return;
      event.preventDefault();
      first.click();
    });
    this.examples();
    void this.fillDatabases();
  }

  show(route: Route): void {
    const { query } = route;
    if (!query || (query.text === this.answered?.text && query.database === this.answered.database && query.language === this.answered.language)) return;
    this.choose(query);
    void this.ask();
  }

  destroy(): void {
    this.running?.abort();
    this.view.clear();
  }

  private async ask(): Promise<void> {
    const [text, database] = [this.editor.text, this.database.value];
    if (text.trim() === "") {
      this.editor.focus();
      return;
    }
    this.running?.abort();
    const running = (this.running = new AbortController());
    this.clearError();
    setText(this.hash, "");
    setText(this.run, "Stop");
    this.element.setAttribute("aria-busy", "true");
    const datadog = this.language.value === "datadog";
    this.answered = { text, database, ...(datadog ? { language: "datadog" as const } : {}) };
    this.router.go({ query: this.answered });
    this.plan.hidden = true;
    this.offered.hidden = true;
    try {
      if (datadog) {
        const to = Math.floor(Date.now() / 1000);
        const { answer, stats, notice } = await this.datadog.ask(text, to - Number(this.window.value), to);
        if (this.running !== running) return;
        remember({ text, database, language: "datadog" });
        this.stats.show(stats);
        this.view.show(resultOf(answer, stats));
        setText(this.plan, [planText(answer), notice].filter((part) => part !== "").join(" — "));
        this.plan.hidden = this.plan.textContent === "";
        this.save.hidden = this.verify.hidden = true;
        return;
      }
      // The replica follows what it is asked for; a name that is none would leave it waiting.
      if (database !== "" && (await this.source.presence(database)) === "missing") throw new IsopointError("request", `database not found: ${database}`);
      const result = await this.source.query(text, database, running.signal);
      if (this.running !== running) return;
      remember({ text, database });
      this.stats.show(result.stats);
      this.view.show(result);
      const failed = result.results.find((statement) => statement.error !== undefined);
      if (failed?.error !== undefined) this.fail(failed.error);
      this.save.hidden = this.source.address === "";
      this.verify.hidden = database === FILES || this.source.address === "";
    } catch (error) {
      if (this.running === running && !(error instanceof IsopointError && error.code === "aborted")) {
        this.view.clear();
        this.save.hidden = this.verify.hidden = true;
        this.fail(error instanceof Error ? error.message : String(error));
      }
    } finally {
      if (this.running === running) {
        this.running = null;
        setText(this.run, "Run");
        this.element.removeAttribute("aria-busy");
      }
    }
  }

  /** The error in InfluxDB's words; where it names a place, that line with the place pointed at. */
  private fail(message: string): void {
    const place = this.editor.markError(message.replace(/\(line (\d+), column (\d+)\)/, "at line $1, char $2"));
    const line = place && this.editor.text.split("\n")[place.line - 1];
    const pointer = place && line !== undefined && line !== null && h("pre", { "aria-hidden": "true" }, `${line}\n${" ".repeat(Math.min(place.char - 1, [...line].length))}`, h("b", {}, "^".repeat(Math.max(place.length, 1))));
    this.error.replaceChildren(h("p", {}, message), pointer || "");
    this.error.hidden = false;
  }

  private clearError(): void {
    this.error.hidden = true;
    this.editor.mark(null);
  }

  private speak(): void {
    const datadog = this.language.value === "datadog";
    this.editor.language = datadog ? "datadog" : "influxql";
    // Here its words come with the tags of the metric that is being written.
    this.editor.completes = !datadog;
    this.databaseLabel.hidden = datadog;
    this.windowLabel.hidden = !datadog;
    this.offered.hidden = true;
  }

  /** What may stand where the caret is, in Datadog's language; the first is taken with Tab. */
  private async offer(): Promise<void> {
    const area = this.editor.element.querySelector("textarea");
    if (this.language.value !== "datadog" || !area) return;
    const caret = area.selectionStart;
    const braces = bracesAt(area.value, caret);
    this.metrics ??= this.datadog.metrics().catch(() => []);
    const known: Known = { metrics: await this.metrics, tags: braces ? await this.datadog.tags(braces.metric).catch(() => []) : [] };
    if (area.selectionStart !== caret) return;
    const { from, options } = complete(area.value, caret, known);
    const take = (option: string): void => {
      area.setRangeText(option, from, caret, "end");
      area.focus();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    };
    this.offered.replaceChildren(...options.map((option) => h("button", { type: "button", click: () => take(option) }, h("code", {}, option))));
    this.offered.hidden = options.length === 0;
  }

  private choose({ text, database, language }: { text: string; database: string; language?: "datadog" }): void {
    this.editor.text = text;
    this.language.value = language ?? "influxql";
    this.speak();
    if (database !== "" && ![...this.database.options].some((option) => option.value === database)) this.database.append(h("option", { value: database }, database));
    if (database !== "") this.database.value = database;
    this.clearError();
  }

  private async fillDatabases(): Promise<void> {
    const known = await this.source.databases();
    // Read when they are there: a link may have chosen meanwhile.
    const chosen = this.database.value;
    const names = new Set([...known, ...(chosen === "" ? [] : [chosen])]);
    this.database.replaceChildren(...[...names].map((name) => h("option", { value: name }, name)));
    if (chosen !== "") this.database.value = chosen;
  }

  private examples(): void {
    const buttons = EXAMPLES.map((example) =>
      h("li", {}, h("button", { type: "button", class: "example", click: () => {
        this.choose(example);
        void this.ask();
      } }, h("code", {}, example.text), h("span", { class: "quiet" }, example.database))),
    );
    this.view.element.append(h("section", { class: "examples" }, h("h2", {}, "Ask this page’s own copy of the engine"), h("p", { class: "quiet" }, "InfluxQL, answered here from compressed blocks; the server is asked only for bytes that are missing."), h("ul", {}, ...buttons)));
  }

  private listPast(): void {
    if (!this.history.open) return;
    const past = pastQueries();
    const item = (query: PastQuery): HTMLElement =>
      h("button", { type: "button", class: "example", click: () => {
        this.choose(query);
        this.history.open = false;
        this.editor.focus();
      } }, h("code", {}, query.text), h("span", { class: "quiet" }, query.language ?? query.database));
    const clear = h("button", { type: "button", click: () => {
      forgetAll();
      this.listPast();
    } }, "Forget all");
    this.past.replaceChildren(...(past.length === 0 ? [h("p", { class: "quiet" }, "Queries that ran are kept here, in this browser.")] : [...past.map(item), clear]));
  }

  private async copyCurl(): Promise<void> {
    const { address } = this.source;
    const command = this.language.value === "datadog" ? curlDatadog(address, Number(this.window.value), this.editor.text) : curl(address, this.database.value, this.editor.text);
    try {
      await navigator.clipboard.writeText(command);
      this.say("Copied");
    } catch {
      // Without https or leave the clipboard is closed: the command is shown to be copied by hand.
      this.error.replaceChildren(h("pre", {}, command));
      this.error.hidden = false;
    }
  }

  /** Both answer the last query, as of one moment. Points that come in between make a difference: then once more. */
  private async compare(): Promise<void> {
    if (!this.answered) return;
    const { text, database } = this.answered;
    setText(this.hash, "The server is asked…");
    this.verify.disabled = true;
    try {
      let result = await this.askBoth(text, database);
      for (let attempt = 1; attempt < ATTEMPTS && !result.equal; attempt += 1) result = await this.askBoth(text, database);
      this.hash.dataset["equal"] = String(result.equal);
      const shown = result.here === "" ? "The bytes are the same; this page may not hash, since it came without https" : `${result.here} here and at the server`;
      setText(this.hash, result.equal ? `✓ Same ${formatBytes(result.bytes)}: ${shown}` : `✗ ${result.here} here, ${result.there} at the server. Points that arrived in between make such a difference.`);
    } catch (error) {
      setText(this.hash, error instanceof Error ? error.message : String(error));
    } finally {
      this.verify.disabled = false;
    }
  }

  private askBoth(text: string, database: string): Promise<Verification> {
    const parameters = new URLSearchParams({ db: database, q: frozen(text, Date.now()) });
    return this.source.verify({ method: "GET", url: `/query?${parameters}` });
  }

  private async exportCsv(): Promise<void> {
    if (!this.answered) return;
    try {
      const bytes = await this.source.csv(this.answered.text, this.answered.database);
      const link = h("a", { href: URL.createObjectURL(new Blob([bytes as BlobPart], { type: "text/csv" })), download: "query.csv" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  private say(text: string): void {
    setText(this.said, text);
    setTimeout(() => setText(this.said, ""), 2000);
  }
}
