import { formatDuration } from "./format";

/** Spans of time, and what zooming and panning makes of them. All times are milliseconds since 1970. */

export interface Span {
  from: number;
  to: number;
}

/** What a person chose: the last while, all there is, or two moments. */
export type Range = { kind: "last"; millis: number } | { kind: "all" } | ({ kind: "fixed" } & Span);

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Bucket widths that a person can name; beyond the last, its multiples by two. */
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 28].map((count) => count * DAY),
];

/** Pixels that one bucket gets at least: fewer would only be drawn over each other. */
const PIXELS = 1.5;

/** The narrowest and widest a chart may become. */
export const NARROWEST = 2 * SECOND;
export const WIDEST = 200 * 365 * DAY;

/** The narrowest nice bucket that still gets its pixels; never narrower than the points lie apart. */
export function bucketFor(span: Span, pixels: number, interval: number): number {
  const wanted = Math.max(((span.to - span.from) * PIXELS) / Math.max(pixels, 1), interval);
  const step = STEPS.find((candidate) => candidate >= wanted);
  if (step !== undefined) return step;
  let last = STEPS.at(-1) ?? DAY;
  while (last < wanted) last *= 2;
  return last;
}

/** The whole buckets of a span, and one more at each side: lines shall run to the edges, and rates need a predecessor. */
export function bucketsAround({ from, to }: Span, bucket: number): Span {
  return { from: (Math.floor(from / bucket) - 1) * bucket, to: (Math.ceil(to / bucket) + 1) * bucket };
}

/** `factor` below 1 narrows; the moment `around` stays where it is. */
export function zoomAround({ from, to }: Span, around: number, factor: number): Span {
  const width = Math.min(Math.max((to - from) * factor, NARROWEST), WIDEST);
  const left = to > from ? (around - from) / (to - from) : 0.5;
  return whole({ from: around - left * width, to: around + (1 - left) * width });
}

export function pan({ from, to }: Span, millis: number): Span {
  return whole({ from: from + millis, to: to + millis });
}

/** The span in which two moments lie at two places, places being parts of the width: what two fingers ask for. */
export function pinch(first: { moment: number; place: number }, second: { moment: number; place: number }): Span | null {
  const apart = second.place - first.place;
  if (Math.abs(apart) < 1e-3) return null;
  const width = (second.moment - first.moment) / apart;
  if (!(width >= NARROWEST && width <= WIDEST)) return null;
  const from = first.moment - first.place * width;
  return whole({ from, to: from + width });
}

export function contains(outer: Span | null, inner: Span): boolean {
  return outer !== null && outer.from <= inner.from && inner.to <= outer.to;
}

/** The span a range means now. `extent` is what the data covers; without any, the last hour. */
export function resolve(range: Range, now: number, extent: Span | null): Span {
  if (range.kind === "fixed") return { from: range.from, to: range.to };
  if (range.kind === "last") return { from: now - range.millis, to: now };
  if (!extent) return { from: now - HOUR, to: now };
  const margin = Math.max(NARROWEST, (extent.to - extent.from) * 0.01);
  return whole({ from: extent.from - margin, to: extent.to + margin });
}

/** `15m`, `all` or `<from>..<to>`, as an address holds it. */
export function printRange(range: Range): string {
  if (range.kind === "all") return "all";
  return range.kind === "fixed" ? printSpan(range) : formatDuration(range.millis);
}

export function parseRange(text: string): Range | null {
  if (text === "all") return { kind: "all" };
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    const millis = Number(count) * { s: SECOND, m: MINUTE, h: HOUR, d: DAY }[unit as "s" | "m" | "h" | "d"];
    return millis >= NARROWEST && millis <= WIDEST ? { kind: "last", millis } : null;
  }
  const span = parseSpan(text);
  return span && { kind: "fixed", ...span };
}

export function printSpan({ from, to }: Span): string {
  return `${printMoment(from)}..${printMoment(to)}`;
}

export function parseSpan(text: string): Span | null {
  const [from, to, more] = text.split("..").map((part) => Date.parse(part));
  if (from === undefined || to === undefined || more !== undefined || !(to - from >= NARROWEST && to - from <= WIDEST)) return null;
  return { from, to };
}

function printMoment(millis: number): string {
  return new Date(millis).toISOString().replace(".000Z", "Z");
}

function whole({ from, to }: Span): Span {
  return { from: Math.round(from), to: Math.round(to) };
}
