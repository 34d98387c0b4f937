/** Facette's graphs as the page needs them: what is asked for, what comes back, and how it is laid out to be drawn. */
import type { Points } from "./data";

export interface GraphSeries {
  name: string;
  origin: string;
  source: string;
  metric: string;
  options?: Record<string, unknown>;
}

export interface GraphGroup {
  name: string;
  operator: number;
  consolidate: number;
  series: GraphSeries[];
  options?: Record<string, unknown>;
}

export interface Graph {
  name: string;
  groups: GraphGroup[];
  options: Record<string, unknown>;
}

/** An item of a library's list. */
export interface StoredGraph {
  id: string;
  name: string;
}

export interface PointsRequest {
  graph?: Graph;
  id?: string;
  start_time: string;
  end_time: string;
  sample: number;
  normalize: boolean;
}

export interface Summary {
  min: number | null;
  max: number | null;
  avg: number | null;
  last: number | null;
  [percentile: string]: number | null;
}

export interface AnswerSeries {
  name: string;
  points: [seconds: number, value: number | null][] | null;
  summary: Summary;
}

export interface PointsAnswer {
  series: AnswerSeries[];
  options: { title?: unknown } & Record<string, unknown>;
}

export type Stack = "none" | "normal" | "percent";

export const OPERATORS = ["None", "Average", "Sum"];
/** By number, from 1. */
export const CONSOLIDATIONS = ["Average", "First", "Last", "Maximum", "Minimum", "Sum"];

/** Seconds without fraction, as Facette prints and cuts them. */
export function timeText(millis: number): string {
  return new Date(Math.floor(millis / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

/** The lines of an answer, times in milliseconds. */
export function lines({ series }: PointsAnswer): Points[] {
  return series.map(({ points }) => ({
    times: (points ?? []).map(([seconds]) => seconds * 1000),
    values: (points ?? []).map(([, value]) => value),
  }));
}

/**
 * Columns laid one upon the other: each is the sum of those up to it, or that as a part of all in percent. Where a
 * column has no value it adds nothing and shows nothing.
 */
export function stacked(columns: (number | null | undefined)[][], stack: Stack): (number | null | undefined)[][] {
  if (stack === "none") return columns;
  const rows = columns[0]?.length ?? 0;
  const totals = Array.from({ length: rows }, (_, row) => columns.reduce((sum, column) => sum + (column[row] ?? 0), 0));
  const below = new Array<number>(rows).fill(0);
  return columns.map((column) =>
    column.map((value, row) => {
      if (value === null || value === undefined) return value;
      const sum = (below[row] = (below[row] ?? 0) + value);
      const total = totals[row] ?? 0;
      return stack === "normal" ? sum : total === 0 ? 0 : (100 * sum) / total;
    }),
  );
}

/** The numbers in a text such as `50, 95 99.9`. */
export function percentiles(text: string): number[] {
  return text.split(/[\s,]+/).filter((part) => part !== "").map(Number).filter(Number.isFinite);
}

/** A command that asks a server the same. */
export function curl(address: string, request: PointsRequest): string {
  const shell = (argument: string): string => `'${argument.replaceAll("'", `'\\''`)}'`;
  return `curl -X POST ${shell(`${address}/api/v1/series/points`)} -H 'Content-Type: application/json' -d ${shell(JSON.stringify(request))}`;
}
