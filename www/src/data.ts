import type { PanelSpec } from "./spec";

/** Points of one line, times in milliseconds, ascending. */
export interface Points {
  times: ArrayLike<number>;
  values: (number | null)[];
}

/** What uPlot draws: one ascending column of times in seconds, and a column of values a line. */
export interface Aligned {
  times: number[];
  /** `null` breaks the line; `undefined` is merely the time of another line's point. */
  values: (number | null | undefined)[][];
}

/** A pause longer than this many buckets is a gap. */
const GAP_BUCKETS = 2.5;

/**
 * Growth per second of a counter: the difference of each two points over the seconds between them, at the later one.
 * Where the counter fell it was reset, and nothing is known. The bucket in which `now` lies is left out: its last value is
 * from before its end, so that its growth would seem too small.
 *
 * The engine has no `derivative` yet; when it does, this goes.
 */
export function perSecond({ times, values }: Points, bucket: number, now: number): Points {
  const rates: Points = { times: [], values: [] };
  let before = -1;
  for (let row = 0; row < values.length; row += 1) {
    const [value, time] = [values[row] ?? null, times[row] ?? 0];
    if (value === null || time + bucket > now) continue;
    const earlier = before < 0 ? null : (values[before] ?? null);
    if (earlier !== null) {
      (rates.times as number[]).push(time);
      rates.values.push(value >= earlier ? (value - earlier) / ((time - (times[before] ?? 0)) / 1000) : null);
    }
    before = row;
  }
  return rates;
}

/** Puts lines side by side on one column of times, and breaks each where its points pause. */
export function align(lines: Points[], bucket: number): Aligned {
  const columns = lines.map((line) => withGaps(line, bucket));
  const first = columns[0];
  if (!first) return { times: [], values: [] };
  const same = columns.every(({ times }) => times.length === first.times.length && times.every((time, row) => time === first.times[row]));
  if (same) return { times: first.times.map((time) => time / 1000), values: columns.map(({ values }) => values) };

  const times = [...new Set(columns.flatMap((column) => column.times))].sort((a, b) => a - b);
  const rows = new Map(times.map((time, row) => [time, row]));
  const values = columns.map((column) => {
    const spread = new Array<number | null | undefined>(times.length).fill(undefined);
    column.times.forEach((time, row) => (spread[rows.get(time) ?? 0] = column.values[row]));
    return spread;
  });
  return { times: times.map((time) => time / 1000), values };
}

function withGaps({ times, values }: Points, bucket: number): { times: number[]; values: (number | null)[] } {
  const broken: { times: number[]; values: (number | null)[] } = { times: [], values: [] };
  for (let row = 0; row < times.length; row += 1) {
    const [time, before] = [times[row] ?? 0, times[row - 1] ?? Infinity];
    if (time - before > GAP_BUCKETS * bucket) {
      broken.times.push(before + bucket);
      broken.values.push(null);
    }
    broken.times.push(time);
    broken.values.push(values[row] ?? null);
  }
  return broken;
}

/** The value each line has at `row`, or at its end when `row` is `null`. */
export function valuesAt(columns: readonly (number | null | undefined)[][], row: number | null): (number | null)[] {
  return columns.map((column) => {
    let at = row ?? column.length - 1;
    // Between two points of this line lie only times of other lines; at the end, gaps are stepped over too.
    while (at >= 0 && (column[at] === undefined || (row === null && column[at] === null))) at -= 1;
    return column[at] ?? null;
  });
}

/** The name of a line in the legend. */
export function lineLabel(spec: PanelSpec, tags: Record<string, string>, number: number): string {
  const column = spec.columns[number];
  if (!column) return "";
  if (spec.label) return spec.label(tags, column);
  const parts = Object.values(tags).filter((tag) => tag !== "");
  if (spec.columns.length > 1 || parts.length === 0) parts.push(column.label);
  return parts.join(" ");
}

/** The name of a line of a query that a panel has of its own. */
export function ownLabel({ name, tags }: { name: string; tags: Record<string, string> }, column: string, several: boolean): string {
  const parts = Object.values(tags).filter((tag) => tag !== "");
  if (parts.length === 0) parts.push(name);
  if (several) parts.push(column);
  return parts.join(" ");
}

/** Each column on top of those before it; what has no value adds nothing. */
export function stack({ times, values }: Aligned): Aligned {
  const below = new Array<number>(times.length).fill(0);
  const stacked = values.map((column) =>
    column.map((value, row) => {
      if (typeof value === "number") below[row] = (below[row] ?? 0) + value;
      return below[row] ?? 0;
    }),
  );
  return { times, values: stacked };
}
