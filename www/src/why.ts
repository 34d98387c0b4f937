import { h } from "./dom";
import { formatBytes, formatNanos, formatValue, plural } from "./format";
import { quote } from "./influxql";
import type { Source } from "./source";
import type { PanelSpec } from "./spec";
import { describe } from "./stats-line";
import type { Span } from "./timerange";

/** Points that are listed; all are counted. */
const MOST = 200;

/** A drawn point: what it is of, and the bucket that it stands for. */
export interface Picked {
  label: string;
  value: number | null;
  column: number;
  tags: Record<string, string>;
  bucket: Span;
}

/** Answers "why is this pixel here": the stored points behind a drawn one, and the blocks that they are in. */
export class Why {
  readonly element = h("section", { class: "why", "data-testid": "why", "aria-label": "The points behind a drawn point", hidden: true });
  private asked = 0;

  constructor(
    private readonly source: Source,
    private readonly database: string,
  ) {}

  async show(spec: PanelSpec, picked: Picked): Promise<void> {
    const asked = ++this.asked;
    const column = spec.columns[picked.column];
    if (!column || spec.query !== undefined) return this.say("This panel has a query of its own: ask for its points on the query page.");
    // A rate is made of the last value of its own bucket and of the one before.
    const from = spec.rate ? picked.bucket.from - (picked.bucket.to - picked.bucket.from) : picked.bucket.from;
    const tags = Object.entries(picked.tags).map(([tag, value]) => ` AND ${quote(tag)} = '${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`);
    const where = `FROM ${quote(spec.measurement)} WHERE time >= ${from}ms AND time < ${picked.bucket.to}ms${tags.join("")}`;
    const points = `SELECT ${quote(column.field)} ${where}`;
    try {
      const [listed, counted, blocks] = await Promise.all([
        this.source.query(`${points} LIMIT ${MOST}`, this.database),
        this.source.query(`SELECT count(${quote(column.field)}) ${where}`, this.database),
        this.source.blocks(points, this.database),
      ]);
      if (asked !== this.asked) return;
      const [series] = listed.series();
      const count = Number(counted.series()[0]?.columns[0]?.values[0] ?? 0);
      const rows = Array.from(series?.times ?? [], (time, row) => h("tr", {}, h("td", { class: "time" }, formatNanos(time)), h("td", { class: "number" }, String(series?.columns[0]?.get(row) ?? "–"))));
      const files = new Map<string, number>();
      for (const { file, len } of blocks) files.set(file, (files.get(file) ?? 0) + len);
      const from_ = [...files].map(([file, bytes]) => h("li", {}, h("code", {}, file), ` · ${formatBytes(bytes)} of it`));
      this.element.replaceChildren(
        h("header", {}, h("h3", {}, `${picked.label}: ${formatValue(picked.value, spec.unit)}`), this.closer()),
        h("p", {}, `${spec.rate ? "Growth per second, of" : `${column.call} of`} ${plural(count, "stored point")} of ${column.field} in ${spec.measurement}:`),
        h("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Stored points" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "time"), h("th", { scope: "col", class: "number" }, column.field))), h("tbody", {}, ...rows))),
        count > MOST ? h("p", { class: "quiet" }, `The first ${MOST} are listed.`) : "",
        from_.length > 0 ? h("ul", { class: "blocks", "data-testid": "why-blocks" }, ...from_) : h("p", { class: "quiet" }, "They are in no block file yet: the live tail brought them."),
        h("p", { class: "stats" }, describe(listed.stats)),
      );
      Object.assign(this.element.dataset, { count: String(count), files: String(files.size) });
      this.element.hidden = false;
    } catch (error) {
      if (asked === this.asked) this.say(error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    this.asked += 1;
    this.element.hidden = true;
  }

  private say(text: string): void {
    this.element.replaceChildren(h("header", {}, h("h3", {}, text), this.closer()));
    this.element.hidden = false;
  }

  private closer(): HTMLButtonElement {
    return h("button", { type: "button", class: "icon", "aria-label": "Close", click: () => this.close() }, "×");
  }
}
