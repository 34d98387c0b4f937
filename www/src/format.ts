import { type Zone, offsetAt } from "./zone";

/** Numbers, sizes and times as text for a person. */

export const UNITS = ["number", "percent", "bytes", "bytes/s", "count/s", "ms", "s", "V", "W", "Hz", "°C", "mm", "m/s", "hPa"] as const;
export type Unit = (typeof UNITS)[number];

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL = ["", "k", "M", "G", "T"];
const ABSENT = "–";
const SHORT: Partial<Record<Unit, Unit>> = { "bytes/s": "bytes", "count/s": "number" };

/** A value with its unit, about three digits: `12.3 %`, `1.42 GiB`, `830 B/s`. */
export function formatValue(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return ABSENT;
  const { divisor, suffix } = scale(Math.abs(value), unit);
  const scaled = value / divisor;
  const whole = divisor === 1 && (unit === "bytes" || unit === "bytes/s");
  return join(scaled.toFixed(whole ? 0 : digitsAfter(Math.abs(scaled), unit)), suffix);
}

/** The labels of an axis: one suffix for all, as many digits as tell neighbours apart, and rates without `/s`, to be short. */
export function formatAxis(values: readonly number[], unit: Unit): string[] {
  const largest = Math.max(...values.map(Math.abs), 0);
  const { divisor, suffix } = scale(largest, SHORT[unit] ?? unit);
  const step = values.length > 1 ? Math.abs((values[1] ?? 0) - (values[0] ?? 0)) / divisor : 1;
  const digits = step > 0 ? Math.min(6, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))) : 0;
  const needed = Number.isInteger(+(step * 10 ** digits).toFixed(6)) ? digits : digits + 1;
  return values.map((value) => join((value / divisor).toFixed(needed), suffix));
}

/** Steps an axis may take: powers of two times 1024^n for sizes, 1-2-5 for the rest. */
export function axisSteps(unit: Unit): number[] {
  if (unit === "bytes" || unit === "bytes/s") return Array.from({ length: 51 }, (_, power) => 2 ** power);
  return Array.from({ length: 24 }, (_, power) => power - 6).flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));
}

export function formatBytes(bytes: number): string {
  return formatValue(bytes, "bytes");
}

/** `1,234,567`; the same in every locale, since the figures sit beside code. */
export function formatCount(count: number): string {
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 block`, `3 blocks`. */
export function plural(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** `0.4 ms`, `12 ms`, `1.3 s`. */
export function formatMillis(millis: number): string {
  if (millis < 10) return `${millis.toFixed(1)} ms`;
  return millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`;
}

const DURATIONS: [millis: number, suffix: string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
  [1, "ms"],
];

/** A whole duration in InfluxQL's words: `15m`, `90s`, `1d`. */
export function formatDuration(millis: number): string {
  const [unit, suffix] = DURATIONS.find(([size]) => millis >= size && millis % size === 0) ?? [1, "ms"];
  return `${millis / unit}${suffix}`;
}

/** How long ago: `now`, `12 s`, `4 min`, `3 h`, `2 d`. */
export function formatAge(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** `2026-11-24 14:30:05`, in the zone the charts show; seconds only where they matter. */
export function formatTime(millis: number, zone: Zone, seconds = true): string {
  return new Date(millis + offsetAt(millis, zone)).toISOString().slice(0, seconds ? 19 : 16).replace("T", " ");
}

/** Nanoseconds as InfluxDB prints them: `2026-11-24T14:30:05.25Z`, as many digits as there are. */
export function formatNanos(nanos: bigint): string {
  const below = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const fraction = below.toString().padStart(9, "0").replace(/0+$/, "");
  const seconds = new Date(Number((nanos - below) / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}${fraction === "" ? "" : `.${fraction}`}Z`;
}

/** A span for people: the date once when both ends share it. */
export function formatSpan(from: number, to: number, zone: Zone): string {
  const days = to - from >= 2 * 86_400_000;
  const [start, end] = [formatTime(from, zone), formatTime(to, zone)];
  if (days) return `${start.slice(0, 10)} – ${end.slice(0, 10)}`;
  return start.slice(0, 10) === end.slice(0, 10) ? `${start} – ${end.slice(11)}` : `${start.slice(0, 16)} – ${end.slice(0, 16)}`;
}

function scale(size: number, unit: Unit): { divisor: number; suffix: string } {
  if (unit === "bytes" || unit === "bytes/s") {
    const power = size < 1 ? 0 : Math.min(BINARY.length - 1, Math.floor(Math.log2(size) / 10));
    return { divisor: 1024 ** power, suffix: `${BINARY[power]}${unit === "bytes" ? "" : "/s"}` };
  }
  if (unit === "number" || unit === "count/s") {
    const power = size < 1000 ? 0 : Math.min(DECIMAL.length - 1, Math.floor(Math.log10(size) / 3));
    return { divisor: 1000 ** power, suffix: `${DECIMAL[power]}${unit === "number" ? "" : "/s"}` };
  }
  return { divisor: 1, suffix: unit === "percent" ? "%" : unit };
}

function digitsAfter(size: number, unit: Unit): number {
  if (unit === "percent" || unit === "°C" || unit === "hPa" || unit === "mm" || unit === "m/s") return 1;
  if (Number.isInteger(size)) return 0;
  return size >= 100 ? 0 : size >= 10 ? 1 : 2;
}

function join(digits: string, suffix: string): string {
  // A thin, unbreakable space; -0 is 0.
  const number = /^-0(\.0*)?$/.test(digits) ? digits.slice(1) : digits;
  const signed = number.replace("-", "−");
  return /^[kMGT]?(\/s)?$/.test(suffix) ? signed + suffix : `${signed}\u202f${suffix}`;
}
