/** Files of points as line protocol: CSV, rows of Parquet, and line protocol itself. */

/** The page's own database for files. */
export const FILES = "files";

/** A table before it becomes points: names of columns, and rows of their values. */
export interface Table {
  columns: string[];
  rows: unknown[][];
}

/** What became of a table. */
export interface Points {
  measurement: string;
  /** Line protocol with nanoseconds, in pieces that can be written one after another. */
  pieces: string[];
  rows: number;
  /** Rows without a time, or without any value. */
  skipped: number;
  fields: string[];
  /** Fields of numbers. */
  numbers: string[];
  tags: string[];
  /** Nanoseconds. */
  from: bigint;
  to: bigint;
}

/** Lines of one write. */
const PIECE = 5_000;
/** A text column with no more values than this, and fewer than half the rows, names series. */
const MOST_TAG_VALUES = 200;

/** Reads CSV: quoted cells, comma, semicolon or tab. The first row names the columns. */
export function parseCsv(text: string): Table {
  const clean = text.replace(/^\uFEFF/, "");
  const head = clean.slice(0, clean.search(/[\r\n]|$/));
  const separator = [",", ";", "\t"].reduce((best, one) => (head.split(one).length > head.split(best).length ? one : best), ",");
  const rows: string[][] = [];
  let [cell, row, quoted]: [string, string[], boolean] = ["", [], false];
  const endRow = (): void => {
    row.push(cell);
    if (row.length > 1 || cell !== "") rows.push(row);
    [cell, row] = ["", []];
  };
  for (let at = 0; at < clean.length; at += 1) {
    const letter = clean[at];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (clean[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === separator) {
      row.push(cell);
      cell = "";
    } else if (letter === "\n") endRow();
    else if (letter !== "\r" || clean[at + 1] !== "\n") cell += letter;
  }
  if (cell !== "" || row.length > 0) endRow();
  const [columns = [], ...rest] = rows;
  return { columns: columns.map((name) => name.trim()), rows: rest };
}

/** Makes points of a table; throws what is wrong with it, in words for a person. */
export function tableToPoints(measurement: string, { columns, rows }: Table): Points {
  const time = timeColumn(columns, rows);
  if (time < 0) throw new Error("There is no column of times: one named time or date, or with times in every row.");
  const kinds = columns.map((_, at) => (at === time ? "time" : kindOf(rows, at)));
  if (!kinds.includes("number") && !kinds.includes("text") && !kinds.includes("boolean")) throw new Error("There is no column of values beside the times.");
  const scale = timeScale(rows, time);
  const [fields, tags] = [columns.filter((_, at) => ["number", "text", "boolean"].includes(kinds[at] ?? "")), columns.filter((_, at) => kinds[at] === "tag")];
  const numbers = columns.filter((_, at) => kinds[at] === "number");
  const points: Points = { measurement, pieces: [], rows: 0, skipped: 0, fields, numbers, tags, from: 0n, to: 0n };
  let lines: string[] = [];
  for (const row of rows) {
    const nanos = nanosOf(row[time], scale);
    let [key, values] = [escaped(measurement), ""];
    columns.forEach((name, at) => {
      const cell = row[at];
      const kind = kinds[at];
      if (cell === null || cell === undefined || cell === "") return;
      if (kind === "tag") key += `,${escaped(name)}=${escaped(String(cell))}`;
      else if (kind === "number" && Number.isFinite(Number(cell))) values += `${values === "" ? "" : ","}${escaped(name)}=${Number(cell)}`;
      else if (kind === "boolean") values += `${values === "" ? "" : ","}${escaped(name)}=${String(cell).toLowerCase()}`;
      else if (kind === "text") values += `${values === "" ? "" : ","}${escaped(name)}="${String(cell).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
    });
    if (nanos === null || values === "") {
      points.skipped += 1;
      continue;
    }
    points.from = points.rows === 0 || nanos < points.from ? nanos : points.from;
    points.to = points.rows === 0 || nanos > points.to ? nanos : points.to;
    points.rows += 1;
    lines.push(`${key} ${values} ${nanos}`);
    if (lines.length === PIECE) {
      points.pieces.push(lines.join("\n"));
      lines = [];
    }
  }
  if (lines.length > 0) points.pieces.push(lines.join("\n"));
  if (points.rows === 0) throw new Error("No row has both a time and a value.");
  return points;
}

/** `weather.csv` is about `weather`. */
export function measurementOf(file: string): string {
  return file.replace(/^.*\//, "").replace(/\.[^.]*$/, "").trim() || "file";
}

function timeColumn(columns: string[], rows: unknown[][]): number {
  const named = columns.findIndex((name) => /^(_?time|timestamp|date|datetime|ts|_time)$/i.test(name));
  if (named >= 0) return named;
  const sample = rows.slice(0, 50);
  return columns.findIndex((_, at) => sample.length > 0 && sample.every((row) => row[at] instanceof Date || (typeof row[at] === "string" && /^\d{4}-\d\d-\d\d/.test(row[at]) && !Number.isNaN(Date.parse(row[at])))));
}

/** Nanoseconds that one unit of a whole number stands for: seconds, milliseconds, microseconds or nanoseconds since 1970. */
function timeScale(rows: unknown[][], time: number): bigint {
  const first = rows.map((row) => row[time]).find((cell) => cell !== null && cell !== undefined && cell !== "");
  const size = Math.abs(Number(first));
  if (!Number.isFinite(size)) return 0n;
  return size < 1e11 ? 1_000_000_000n : size < 1e14 ? 1_000_000n : size < 1e17 ? 1_000n : 1n;
}

function nanosOf(cell: unknown, scale: bigint): bigint | null {
  if (typeof cell === "bigint") return cell * (scale === 0n ? 1n : scale);
  if (cell instanceof Date) return BigInt(cell.getTime()) * 1_000_000n;
  const text = String(cell ?? "").trim();
  if (/^-?\d+$/.test(text)) return BigInt(text) * scale;
  if (/^-?\d+\.\d+$/.test(text)) return BigInt(Math.round(Number(text) * 1000)) * (scale / 1000n);
  // `2026-11-24 14:30:05` without a zone is UTC, on every device alike.
  const whole = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? `${text.replace(" ", "T")}Z` : text;
  const millis = Date.parse(whole);
  return text === "" || Number.isNaN(millis) ? null : BigInt(millis) * 1_000_000n;
}

function kindOf(rows: unknown[][], at: number): "number" | "boolean" | "tag" | "text" | "empty" {
  const cells = rows.map((row) => row[at]).filter((cell) => cell !== null && cell !== undefined && cell !== "");
  if (cells.length === 0) return "empty";
  if (cells.every((cell) => typeof cell !== "boolean" && String(cell).trim() !== "" && Number.isFinite(Number(cell)))) return "number";
  if (cells.every((cell) => /^(true|false)$/i.test(String(cell)))) return "boolean";
  const values = new Set(cells.map(String));
  const names = values.size <= MOST_TAG_VALUES && (values.size * 2 <= cells.length || values.size === 1) && [...values].every((value) => !value.includes("\n"));
  return names ? "tag" : "text";
}

/** For a key of line protocol: names, and values of tags. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replace(/[,= ]/g, "\\$&").replaceAll("\n", " ");
}
