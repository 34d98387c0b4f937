/** One question, in the words of each API. */
import type { GraphSeries } from "./graphs";
import type { Language } from "./highlight";
import { quote } from "./influxql";
import type { Span } from "./timerange";

export interface Question {
  database: string;
  measurement: string;
  field: string;
  call: Call;
  /** Empty: all series together. */
  tag: string;
  span: Span;
  /** Seconds. */
  bucket: number;
  /** The series as Facette names them. */
  series: GraphSeries[];
}

export const CALLS = ["mean", "max", "min", "sum"] as const;
export type Call = (typeof CALLS)[number];

const DATADOG: Record<Call, string> = { mean: "avg", max: "max", min: "min", sum: "sum" };
/** Numbers of Facette's consolidations. */
const FACETTE: Record<Call, number> = { mean: 1, max: 4, min: 5, sum: 6 };

/** The question as somebody would type it. */
export function ask(language: Language, question: Question): string {
  const { database, measurement, field, call, tag, span, bucket, series } = question;
  const by = tag === "" ? "" : `, ${quote(tag)}`;
  switch (language) {
    case "influxql":
      return `SELECT ${call}(${quote(field)}) FROM ${quote(measurement)}\nWHERE time >= ${span.from}ms AND time < ${span.to}ms\nGROUP BY time(${bucket}s)${by} fill(none)`;
    case "datadog": {
      const metric = field === "value" ? measurement : `${measurement}.${field}`;
      return `${DATADOG[call]}:${metric}{*}${tag === "" ? "" : ` by {${tag}}`}.rollup(${DATADOG[call]}, ${bucket})`;
    }
    case "facette": {
      const group = { name: "", operator: 0, consolidate: FACETTE[call], series };
      const sample = Math.max(Math.round((span.to - span.from) / 1000 / bucket), 1);
      return JSON.stringify({ graph: { name: `${measurement}.${field}`, groups: [group] }, start_time: new Date(span.from).toISOString(), end_time: new Date(span.to).toISOString(), sample, normalize: true }, null, 2);
    }
    case "grafana": {
      const query = `SELECT ${call}(${quote(field)}) FROM ${quote(measurement)} WHERE $timeFilter GROUP BY time(${bucket}s)${by} fill(none)`;
      return JSON.stringify({ database, from: String(span.from), to: String(span.to), queries: [{ refId: "A", query }] }, null, 2);
    }
  }
}
