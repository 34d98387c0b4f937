import type { Points } from "./data";

/** A data frame as `/api/ds/query` writes it. */
export interface FrameJson {
  schema: { name?: string; refId?: string; fields: FieldJson[] };
  data: { values: unknown[][]; entities?: ({ NaN?: number[]; Inf?: number[]; NegInf?: number[] } | null)[] };
}

export interface FieldJson {
  name?: string;
  type: string;
  labels?: Record<string, string>;
  config?: { displayNameFromDS?: string };
}

/** A query's part of an answer. */
export interface ResultJson {
  error?: string;
  frames?: FrameJson[];
}

/** The columns with what JSON cannot say put back: NaN and infinities. */
export function columns(frame: FrameJson): unknown[][] {
  return frame.data.values.map((column, field) => {
    const entities = frame.data.entities?.[field];
    if (!entities) return column;
    const whole = [...column];
    for (const row of entities.NaN ?? []) whole[row] = NaN;
    for (const row of entities.Inf ?? []) whole[row] = Infinity;
    for (const row of entities.NegInf ?? []) whole[row] = -Infinity;
    return whole;
  });
}

/** What a field is called: by its data source, else its name and labels. */
export function fieldName(frame: FrameJson, { name, labels, config }: FieldJson): string {
  if (config?.displayNameFromDS) return config.displayNameFromDS;
  const list = Object.entries(labels ?? {}).map(([label, value]) => `${label}=${value}`).join(",");
  return [frame.schema.name, name, list && `{${list}}`].filter(Boolean).join(" ");
}

/** The numbers over time that a frame has; what is not finite is a gap. */
export function lines(frame: FrameJson): { label: string; points: Points }[] {
  const values = columns(frame);
  const time = frame.schema.fields.findIndex(({ type }) => type === "time");
  if (time < 0) return [];
  const times = (values[time] ?? []).map(Number);
  return frame.schema.fields.flatMap((field, at) =>
    field.type === "number"
      ? [{ label: fieldName(frame, field), points: { times, values: (values[at] ?? []).map((value) => (typeof value === "number" && Number.isFinite(value) ? value : null)) } }]
      : [],
  );
}

/** A cell as text; `null` when there is no value. */
export function cell(value: unknown, type: string): string | null {
  if (value === null || value === undefined) return null;
  if (type === "time") return new Date(Number(value)).toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
