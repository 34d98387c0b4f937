/** Answers of the APIs as columns: what a chart takes. */

/** A series of `/api/v1/query`. */
export interface DatadogSeries {
  metric: string;
  /** The name in the query's own words, with its function. */
  name: string;
  scope: string;
  tags: string[];
  /** Seconds between points. */
  interval: number;
  unit: string | null;
  /** Milliseconds since 1970. */
  times: Float64Array;
  /** NaN where there is no value. */
  values: Float64Array;
}

export interface DatadogAnswer {
  status?: string;
  error?: string;
  errors?: string[];
  series?: {
    metric: string;
    display_name: string;
    expression: string;
    scope: string;
    tag_set?: string[];
    interval: number;
    unit?: ({ name?: string } | null)[] | null;
    pointlist: [number, number | null][];
  }[];
}

export function datadogSeries(answer: DatadogAnswer): DatadogSeries[] {
  return (answer.series ?? []).map((series) => ({
    metric: series.metric,
    name: series.expression,
    scope: series.scope,
    tags: series.tag_set ?? [],
    interval: series.interval,
    unit: series.unit?.[0]?.name ?? null,
    times: Float64Array.from(series.pointlist, ([time]) => time),
    values: Float64Array.from(series.pointlist, ([, value]) => value ?? NaN),
  }));
}

/** A data frame of `/api/ds/query`. */
export interface GrafanaFrame {
  name: string;
  refId: string;
  fields: GrafanaField[];
}

export interface GrafanaField {
  name: string;
  type: string;
  labels: Record<string, string>;
  /** Numbers and times (milliseconds since 1970) are typed, NaN where there is no value; all else is as in the answer. */
  values: Float64Array | unknown[];
}

export interface FramesAnswer {
  message?: string;
  results?: Record<string, { error?: string; frames?: FrameJson[] }>;
}

interface FrameJson {
  schema: { name?: string; refId?: string; fields: { name?: string; type: string; labels?: Record<string, string> }[] };
  data: { values: unknown[][]; entities?: ({ NaN?: number[]; Inf?: number[]; NegInf?: number[] } | null)[] };
}

export function grafanaFrame({ schema, data }: FrameJson): GrafanaFrame {
  const fields = schema.fields.map(({ name = "", type, labels = {} }, at) => {
    const column = data.values[at] ?? [];
    if (type !== "number" && type !== "time") return { name, type, labels, values: column };
    const values = Float64Array.from(column, (value) => (typeof value === "number" ? value : NaN));
    // What JSON cannot say stands beside it.
    for (const row of data.entities?.[at]?.Inf ?? []) values[row] = Infinity;
    for (const row of data.entities?.[at]?.NegInf ?? []) values[row] = -Infinity;
    return { name, type, labels, values };
  });
  return { name: schema.name ?? "", refId: schema.refId ?? "", fields };
}
