import { type Unit, formatDuration } from "./format";
import { quote } from "./influxql";
import type { Range, Span } from "./timerange";
import type { Zone } from "./zone";

/** A column of a panel's query, `call("field")`. */
export interface ColumnSpec {
  field: string;
  call: "mean" | "max" | "min" | "last" | "sum";
  /** In the legend, where there are several. */
  label: string;
}

/** How a panel shows its lines: as a chart over time, as a map of how many lines are where, or as figures. */
export const STYLES = ["line", "area", "stacked", "bars", "points", "band", "heatmap", "stat", "gauge", "table"] as const;
export type Style = (typeof STYLES)[number];

/** From this value up, until the next threshold, values are of this tone. */
export interface Threshold {
  value: number;
  tone: Tone;
}

export const TONES = ["good", "warn", "bad"] as const;
export type Tone = (typeof TONES)[number];

/** One panel: a query over time, and how it is drawn. */
export interface PanelSpec {
  id: string;
  title: string;
  /**
   * InfluxQL of the panel's own in place of `measurement`, `columns` and `groupBy`. `$timeFilter` and `$__interval` stand for
   * the range and the bucket.
   */
  query?: string;
  measurement: string;
  columns: ColumnSpec[];
  /** Tags that make series of their own. */
  groupBy?: string[];
  unit: Unit;
  /** Milliseconds between points: buckets are never narrower. */
  interval: number;
  /**
   * The columns are counters: what is drawn is their growth per second. See `perSecond` in data.ts, the one place
   * where the page computes anything.
   */
  rate?: true;
  /** Buckets this many times wider than pixels ask for: points that jump about say more in fewer. */
  spread?: number;
  /** Ends of the value axis that hold whatever the values are. */
  floor?: number;
  ceiling?: number;
  /** `band`: columns come in pairs, low and high, and what lies between is filled. Default: `line`. */
  style?: Style;
  /** In ascending order of values. */
  thresholds?: Threshold[];
  /** As wide as the page. */
  wide?: true;
  /** Label of the line that matters most: it comes first, stronger than the others. */
  lead?: string;
  /** Name of a series in the legend. */
  label?: (tags: Record<string, string>, column: ColumnSpec) => string;
}

/** Panels that share a database, a time range and a cursor. */
export interface BoardSpec {
  /** Its name in the address; what comes before a slash is the page that boards share. */
  page: string;
  /** The page's heading, and this board's name among those on the page. */
  heading: string;
  title: string;
  database: string;
  panels: PanelSpec[];
  /** Presets, each the last while of data that goes on, or of data that has ended. */
  presets: number[];
  /** What is shown when the address does not say. */
  initial: Range;
  /** Points keep coming: now is the right edge. */
  live: boolean;
  /** What its times are shown in, unless somebody chooses another zone. */
  zone: Zone;
  /** Where the data is from, its licence. */
  origin?: { text: string; link: string };
  /** Moments that are marked in all charts: the points of a measurement, with the text of a field. */
  annotations?: { measurement: string; field: string };
  /** What to say when the database is missing: what it is, and the command that brings it. */
  missing: { title: string; text: string; command: string };
}

/** The panel's query over `span`, in buckets. Empty buckets are left out: gaps are found from the times. */
export function queryText(spec: PanelSpec, span: Span, bucket: number): string {
  const filter = `time >= ${Math.round(span.from)}ms AND time < ${Math.round(span.to)}ms`;
  if (spec.query !== undefined) {
    return spec.query
      .replaceAll("$timeFilter", filter)
      .replaceAll(/\$__interval_ms\b/g, String(bucket))
      .replaceAll(/\$(?:__interval|interval)\b/g, formatDuration(bucket));
  }
  const columns = spec.columns.map(({ call, field }, number) => `${call}(${quote(field)}) AS ${quote(`c${number}`)}`);
  const tags = (spec.groupBy ?? []).map((tag) => `, ${quote(tag)}`).join("");
  return (
    `SELECT ${columns.join(", ")} FROM ${quote(spec.measurement)} WHERE ${filter}` +
    ` GROUP BY time(${formatDuration(bucket)})${tags} fill(none)`
  );
}

/** The field that says from when to when a panel has points; `null` when its query does not tell. */
export function extentField({ measurement, columns }: PanelSpec): { measurement: string; field: string } | null {
  const field = columns[0]?.field;
  return measurement === "" || field === undefined ? null : { measurement, field };
}

/** The tone of a value. */
export function toneOf(value: number | null, thresholds: readonly Threshold[] = []): Tone | null {
  if (value === null) return null;
  return thresholds.filter((threshold) => value >= threshold.value).at(-1)?.tone ?? null;
}
