import { IsopointError } from "./errors.js";
import type { QueryData } from "./host.js";
import type { ColumnData, ColumnValues, FieldType, QueryStats, SeriesData, StatementData } from "./types.js";

/** What a query gave. */
export class QueryResult {
  readonly results: { statement: number; series: Series[]; error?: string }[];
  readonly stats: QueryStats;

  constructor(data: QueryData) {
    this.stats = data.stats;
    this.results = data.results.map((result: StatementData) => ({ ...result, series: result.series.map((series) => new Series(series)) }));
  }

  /** The series of all statements; throws the first statement's error, if one has. */
  series(): Series[] {
    const failed = this.results.find((result) => result.error !== undefined);
    if (failed) throw new IsopointError("request", failed.error ?? "");
    return this.results.flatMap((result) => result.series);
  }
}

/** Rows of one group of series. */
export class Series {
  readonly name: string;
  readonly tags: Record<string, string>;
  /** Nanoseconds since the epoch. */
  readonly times: BigInt64Array;
  readonly columns: Column[];

  constructor(data: SeriesData) {
    this.name = data.name;
    this.tags = data.tags;
    this.times = data.times;
    this.columns = data.columns.map((column) => new Column(column));
  }

  /** The times in milliseconds since the epoch, fractions kept: what `Date` and charts take. */
  timesMillis(): Float64Array {
    // By halves: a bigint a row would cost more than the query.
    const halves = new DataView(this.times.buffer, this.times.byteOffset, this.times.byteLength);
    return Float64Array.from({ length: this.times.length }, (_, row) => {
      const seconds = halves.getInt32(row * 8 + 4, true) * 4294967296 + halves.getUint32(row * 8, true);
      return seconds / 1e6;
    });
  }

  column(name: string): Column | undefined {
    return this.columns.find((column) => column.name === name);
  }
}

/** Values of one column. */
export class Column {
  readonly name: string;
  readonly type: FieldType;
  readonly values: ColumnValues;
  readonly present: Uint8Array | null;

  constructor(data: ColumnData) {
    this.name = data.name;
    this.type = data.type;
    this.values = data.values;
    this.present = data.present;
  }

  /** The value of a row; `null` where there is none. */
  get(row: number): number | bigint | boolean | string | null {
    if (this.present?.[row] === 0) return null;
    const value = this.values[row];
    return value === undefined ? null : this.type === "boolean" ? value === 1 : value;
  }

  /** Values as numbers for a chart, `null` where there is none; integers beyond 2^53 are rounded, texts are `null`. */
  numbers(): (number | null)[] {
    if (this.type === "string") return Array.from({ length: this.values.length }, () => null);
    return Array.from({ length: this.values.length }, (_, row) => (this.present?.[row] === 0 ? null : Number(this.values[row])));
  }
}
