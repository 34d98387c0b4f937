import { Chart, type Line } from "./chart";
import { align, valuesAt } from "./data";
import { h, setText } from "./dom";
import { formatCount, plural } from "./format";
import { type FrameJson, type ResultJson, cell, columns, fieldName, lines } from "./frames";
import { Legend } from "./legend";
import { type Span, resolve } from "./timerange";
import { UTC } from "./zone";

const MOST_LINES = 12;
const MOST_ROWS = 500;

/** A data source as `/api/datasources/uid/…` shows it. */
interface DataSource {
  uid: string;
  name: string;
  type: string;
  access: string;
  url: string;
  user: string;
  database: string;
  isDefault: boolean;
  readOnly: boolean;
  version?: number;
  jsonData: { [name: string]: unknown };
}

/** What a query of a type is called and begins as. */
const QUESTIONS: { [type: string]: { member: string; label: string; example: string; more: object } } = {
  influxdb: { member: "query", label: "InfluxQL", example: "SHOW MEASUREMENTS", more: { rawQuery: true } },
  prometheus: { member: "expr", label: "PromQL", example: "up", more: { range: true } },
  graphite: { member: "target", label: "Target", example: "*", more: {} },
  "grafana-testdata-datasource": { member: "scenarioId", label: "Scenario", example: "random_walk", more: {} },
};

/** Data sources of the server: list, add, edit, check, ask. */
export class SourcesPage {
  readonly element: HTMLElement;
  private readonly list = h("div", { class: "table" });
  private readonly side = h("div", {});
  private readonly said = h("p", { class: "quiet", role: "status", "data-testid": "sources-said" });
  private chart: Chart | null = null;
  private legend: Legend | null = null;

  constructor() {
    const add = h("button", { type: "button", class: "primary", "data-testid": "source-add", click: () => this.edit(null) }, "Add data source");
    const bar = h("div", { class: "toolbar" }, add, h("span", { class: "spring" }), this.said);
    this.element = h("div", { class: "board query-page", "data-testid": "board-sources" }, h("h1", {}, "Data sources"), bar, this.list, this.side);
  }

  show(): void {
    void this.refresh();
  }

  destroy(): void {
    this.clear();
  }

  private clear(): void {
    this.chart?.destroy();
    this.legend?.destroy();
    this.chart = this.legend = null;
    this.side.replaceChildren();
  }

  /** The answer's body; what the server says is wrong is thrown, and shown by `attempt`. */
  private async call<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(`/api/${path}`, { method, ...(body ? { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {}) });
    const said = (await answer.json()) as T & { message?: string; results?: unknown };
    if (!answer.ok && !said.results) throw new Error(said.message ?? `status ${answer.status}`);
    return said;
  }

  /** What comes of some work is said, or why nothing does; `about` stands before that. */
  private async attempt(work: () => Promise<string>, about = ""): Promise<void> {
    try {
      setText(this.said, await work());
    } catch (error) {
      setText(this.said, `${about}${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private refresh(): Promise<void> {
    return this.attempt(async () => {
      const records = await this.call<DataSource[]>("GET", "datasources");
      const rows = records.map((record) => {
        const act = (name: string, label: string, work: () => void): HTMLElement => h("button", { type: "button", "data-testid": `source-${name}`, "aria-label": `${label} ${record.name}`, click: work }, label);
        return h(
          "tr",
          { "data-uid": record.uid },
          h("td", {}, record.name, record.isDefault && h("span", { class: "quiet" }, " default"), record.readOnly && h("span", { class: "quiet" }, " provisioned")),
          h("td", {}, record.type),
          h("td", {}, record.url),
          h("td", {}, act("test", "Test", () => void this.test(record)), " ", act("explore", "Explore", () => this.explore(record)), " ", act("edit", "Edit", () => void this.open(record)), " ", !record.readOnly && act("delete", "Delete", () => void this.remove(record))),
        );
      });
      const head = h("tr", {}, ...["Name", "Type", "Address", ""].map((title) => h("th", { scope: "col" }, title)));
      this.list.replaceChildren(h("table", { "data-testid": "sources" }, h("thead", {}, head), h("tbody", {}, ...rows)));
      return records.length === 0 ? "There is no data source yet." : plural(records.length, "data source");
    });
  }

  private test({ uid, name }: DataSource): Promise<void> {
    return this.attempt(async () => {
      const { message } = await this.call<{ message: string }>("GET", `datasources/uid/${uid}/health`);
      return `${name}: ${message}`;
    }, `${name}: `);
  }

  private remove({ uid, name }: DataSource): Promise<void> {
    if (!confirm(`Delete the data source ${name}?`)) return Promise.resolve();
    return this.attempt(async () => {
      await this.call("DELETE", `datasources/uid/${uid}`);
      this.clear();
      await this.refresh();
      return `${name} is deleted.`;
    });
  }

  private open({ uid }: DataSource): Promise<void> {
    return this.attempt(async () => {
      this.edit(await this.call<DataSource>("GET", `datasources/uid/${uid}`));
      return "";
    });
  }

  private edit(record: DataSource | null): void {
    this.clear();
    const type = h("select", { name: "type" }, ...Object.keys(QUESTIONS).map((name) => h("option", { value: name, selected: name === record?.type }, name)));
    if (record && !(record.type in QUESTIONS)) type.append(h("option", { value: record.type, selected: true }, record.type));
    const input = (name: string, value: string, kind = "text"): HTMLInputElement => h("input", { name, type: kind, value, autocomplete: kind === "password" ? "new-password" : "off" });
    const fields = {
      name: input("name", record?.name ?? ""),
      url: input("url", record?.url ?? ""),
      database: input("database", String(record?.jsonData["dbName"] ?? record?.database ?? "")),
      user: input("user", record?.user ?? ""),
      password: input("password", "", "password"),
    };
    const isDefault = h("input", { type: "checkbox", checked: record?.isDefault ?? false });
    const label = (text: string, field: HTMLElement): HTMLElement => h("label", { class: "inline" }, text, field);
    const save = async (): Promise<string> => {
      const jsonData = { ...record?.jsonData, ...(fields.database.value ? { dbName: fields.database.value } : {}) };
      const body = {
        name: fields.name.value,
        type: type.value,
        access: record?.access ?? "proxy",
        url: fields.url.value,
        database: fields.database.value,
        user: fields.user.value,
        isDefault: isDefault.checked,
        jsonData,
        ...(fields.password.value ? { secureJsonData: { password: fields.password.value } } : {}),
        ...(record?.version === undefined ? {} : { version: record.version }),
      };
      const { message } = await (record ? this.call<{ message: string }>("PATCH", `datasources/uid/${record.uid}`, body) : this.call<{ message: string }>("POST", "datasources", body));
      this.clear();
      await this.refresh();
      return message;
    };
    const submit = (event: Event): void => {
      event.preventDefault();
      void this.attempt(save);
    };
    this.side.replaceChildren(
      h(
        "form",
        { class: "query", "data-testid": "source-form", submit },
        h("h2", {}, record ? `Edit ${record.name}` : "New data source"),
        label("Name", fields.name),
        label("Type", type),
        label("Address", fields.url),
        h("p", { class: "quiet" }, "local:// is this very server."),
        label("Database", fields.database),
        label("User", fields.user),
        label("Password", fields.password),
        label("Default", isDefault),
        h("div", { class: "toolbar" }, h("button", { type: "submit", class: "primary", "data-testid": "source-save" }, "Save"), h("button", { type: "button", click: () => this.clear() }, "Cancel")),
      ),
    );
    fields.name.focus();
  }

  private explore(record: DataSource): void {
    this.clear();
    const question = QUESTIONS[record.type];
    if (!question) {
      setText(this.said, `There is no backend for ${record.type}: it is stored and proxied only.`);
      return;
    }
    const text = h("textarea", { rows: 3, spellcheck: "false", "aria-label": question.label, "data-testid": "source-query" });
    text.value = question.example;
    const [from, to] = ["now-1h", "now"].map((value) => h("input", { type: "text", value, size: 12 })) as [HTMLInputElement, HTMLInputElement];
    const result = h("div", { class: "result", "data-testid": "source-result" });
    const ask = async (): Promise<string> => {
      const query = { refId: "A", datasource: { uid: record.uid }, intervalMs: 10_000, maxDataPoints: 1000, [question.member]: text.value, ...question.more };
      const { results } = await this.call<{ results: Record<string, ResultJson> }>("POST", "ds/query", { from: from.value, to: to.value, queries: [query] });
      const { frames = [], error } = results["A"] ?? {};
      this.draw(result, frames);
      return error ?? plural(frames.length, "frame");
    };
    const submit = (event: Event): void => {
      event.preventDefault();
      void this.attempt(ask);
    };
    const bar = h("div", { class: "toolbar" }, h("label", { class: "inline" }, "From", from), h("label", { class: "inline" }, "To", to), h("button", { type: "submit", class: "primary", "data-testid": "source-run" }, "Run"));
    this.side.replaceChildren(h("form", { class: "query", submit }, h("h2", {}, `Explore ${record.name}`), h("div", { class: "editor" }, text), bar), result);
    text.focus();
  }

  private draw(host: HTMLElement, frames: FrameJson[]): void {
    this.chart?.destroy();
    this.legend?.destroy();
    this.chart = this.legend = null;
    host.replaceChildren();
    const found = frames.flatMap(lines).filter(({ points }) => points.times.length > 1);
    if (found.length > 0) this.plot(host, found.slice(0, MOST_LINES));
    if (found.length > MOST_LINES) host.append(h("p", { class: "quiet" }, `${plural(found.length - MOST_LINES, "more line")} left out of the chart.`));
    let left = MOST_ROWS;
    for (const frame of frames) {
      host.append(table(frame, left));
      left -= Math.min(left, frame.data.values[0]?.length ?? 0);
      if (left === 0) break;
    }
    const all = frames.reduce((sum, frame) => sum + (frame.data.values[0]?.length ?? 0), 0);
    if (all > MOST_ROWS) host.append(h("p", { class: "quiet" }, `The first ${formatCount(MOST_ROWS)} of ${formatCount(all)} rows are listed.`));
  }

  private plot(host: HTMLElement, found: ReturnType<typeof lines>): void {
    const ends = found.flatMap(({ points }) => [points.times[0] ?? 0, points.times[points.times.length - 1] ?? 0]);
    const [first, last] = [Math.min(...ends), Math.max(...ends)];
    if (!(last > first)) return;
    const data = align(found.map(({ points }) => points), Infinity);
    const all = resolve({ kind: "all" }, last, { from: first, to: last });
    const shown = found.map(({ label }, number): Line => ({ label, colour: number, strong: found.length <= 4, fill: "none", shown: true }));
    const canvas = h("div", { class: "canvas" });
    const legend = new Legend("number", (line, on) => this.chart?.toggle(line, on));
    host.append(h("section", { class: "panel", "aria-label": "Chart of the frames", "data-testid": "source-chart" }, h("div", { class: "plot" }, canvas), legend.element));
    const want = (span: Span): void => this.chart?.setSpan(span);
    this.chart = new Chart({ unit: "number", zone: () => UTC, sync: "sources", want, reset: () => want(all), hover: (row) => legend.setValues(valuesAt(data.values, row)) }, canvas);
    this.legend = legend;
    legend.setLines(shown);
    this.chart.show(shown, data, all);
    legend.setValues(valuesAt(data.values, null));
  }
}

function table(frame: FrameJson, most: number): HTMLElement {
  const values = columns(frame);
  const { fields } = frame.schema;
  const rows = Math.min(values[0]?.length ?? 0, most);
  const side = ({ type }: { type: string }): string => (type === "number" ? "number" : type === "time" ? "time" : "");
  const head = h("tr", {}, ...fields.map((field) => h("th", { scope: "col", class: side(field) }, field.type === "number" ? fieldName(frame, field) : (field.name ?? ""))));
  const body = Array.from({ length: rows }, (_, row) =>
    h("tr", {}, ...fields.map((field, at) => h("td", { class: side(field) }, cell(values[at]?.[row], field.type) ?? h("span", { class: "null", title: "no value" }, "–")))),
  );
  const title = frame.schema.name ?? frame.schema.refId ?? "";
  return h("div", { class: "table", tabindex: 0, role: "region", "aria-label": `Rows of ${title}` }, h("table", {}, h("caption", {}, title, " ", h("span", { class: "quiet" }, plural(values[0]?.length ?? 0, "row"))), h("thead", {}, head), h("tbody", {}, ...body)));
}
