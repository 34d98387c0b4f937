import { h } from "./dom";
import { formatCount, plural } from "./format";
import { FILES, type Points, measurementOf, parseCsv, tableToPoints } from "./files";
import { quote } from "./influxql";
import { parquetTable } from "./parquet";
import type { Router } from "./route";
import type { Source } from "./source";
import { bucketFor } from "./timerange";

/** More than this is not read: the page would have to hold it several times over. */
const MOST_BYTES = 256 << 20;

/**
 * Files dropped on the page, or chosen: they become points of a database in this page, and are explored there. Nothing is
 * sent anywhere.
 */
export class FileDrop {
  readonly element = h("div", { class: "drop", "data-testid": "drop", role: "status", hidden: true });
  /** The same for those who do not drag. */
  readonly picker: HTMLElement;
  private inside = 0;

  constructor(
    private readonly source: Source,
    private readonly router: Router,
  ) {
    const input = h("input", { type: "file", multiple: true, accept: ".csv,.tsv,.txt,.lp,.parquet", "data-testid": "drop-file" });
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      input.value = "";
      void this.read(files);
    });
    this.picker = h("label", { class: "file small", title: "CSV, line protocol or Parquet; it stays in this page" }, "Explore a file", input);
    addEventListener("dragenter", (event) => this.drag(event, 1));
    addEventListener("dragleave", (event) => this.drag(event, -1));
    addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      this.inside = 0;
      void this.read([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** Reads files one after another and shows the last. */
  async read(files: File[]): Promise<void> {
    for (const file of files) {
      this.say(h("p", {}, `Reading ${file.name}…`));
      try {
        if (file.size > MOST_BYTES) throw new Error("It is larger than a page can hold. `isopoint import` takes files of any size.");
        this.explore(file.name, await this.store(file));
      } catch (error) {
        this.say(h("p", { class: "problem" }, `${file.name} was not read. ${error instanceof Error ? error.message : error}`), this.closer());
      }
    }
  }

  private async store(file: File): Promise<Points> {
    const name = measurementOf(file.name);
    if (/\.parquet$/i.test(file.name)) return this.write(tableToPoints(name, await parquetTable(await file.arrayBuffer())));
    const text = await file.text();
    if (/\.(csv|tsv)$/i.test(file.name) || !looksLikeLines(text)) return this.write(tableToPoints(name, parseCsv(text)));
    const { points, dropped, error } = await this.source.write(text, FILES);
    if (points === 0) throw new Error(error ?? "It has no points.");
    const measurement = /^(?:\\.|[^,\s])+/.exec(text)?.[0]?.replace(/\\(.)/g, "$1") ?? name;
    return { measurement, pieces: [], rows: points, skipped: dropped, fields: [], numbers: [], tags: [], from: 0n, to: 0n };
  }

  private async write(points: Points): Promise<Points> {
    let stored = 0;
    for (const piece of points.pieces) {
      const result = await this.source.write(piece, FILES);
      if (result.error !== undefined && result.points === 0) throw new Error(result.error);
      stored += result.points;
      this.say(h("p", {}, `${formatCount(stored)} of ${plural(points.rows, "row")} stored in this page…`));
    }
    return points;
  }

  private explore(file: string, { measurement, rows, skipped, numbers, tags, from, to }: Points): void {
    const means = numbers.slice(0, 4).map((field) => `mean(${quote(field)}) AS ${quote(field)}`);
    const span = { from: Number(from / 1_000_000n), to: Number(to / 1_000_000n) + 1 };
    const grouped = tags[0] === undefined ? "" : `, ${quote(tags[0])}`;
    const text = means.length === 0 || span.to - span.from < 2000
      ? `SELECT * FROM ${quote(measurement)} LIMIT 1000`
      : `SELECT ${means.join(", ")} FROM ${quote(measurement)}\nWHERE time >= ${span.from}ms AND time <= ${span.to}ms\nGROUP BY time(${Math.max(bucketFor(span, 900, 1), 1)}ms)${grouped} fill(none)`;
    this.say(
      h("p", {}, h("strong", {}, file), ` is in this page: ${plural(rows, "point")}${skipped > 0 ? `, ${plural(skipped, "row")} without time or value left out` : ""}. Nothing was sent anywhere.`),
      this.closer(),
    );
    this.router.go({ page: "query", range: null, zoom: null, query: { text, database: FILES } });
  }

  private drag(event: DragEvent, by: number): void {
    if (!carriesFiles(event)) return;
    this.inside = Math.max(0, this.inside + by);
    if (this.inside > 0) this.say(h("p", {}, h("strong", {}, "Drop it anywhere."), " CSV, line protocol or Parquet, explored here; nothing leaves this machine."));
    else this.element.hidden = true;
  }

  private say(...children: HTMLElement[]): void {
    this.element.replaceChildren(...children);
    this.element.hidden = false;
  }

  private closer(): HTMLElement {
    return h("button", { type: "button", class: "icon", "aria-label": "Close", click: () => (this.element.hidden = true) }, "×");
  }
}

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** `measurement,tag=a field=1 1700000000`: a first line with fields after a blank, and no such thing in CSV. */
function looksLikeLines(text: string): boolean {
  const first = text.split("\n").find((line) => line.trim() !== "" && !line.startsWith("#")) ?? "";
  return /^(?:\\.|[^\s])+\s+(?:\\.|[^\s=,])+=\S/.test(first);
}
