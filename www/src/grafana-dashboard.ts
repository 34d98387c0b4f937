/**
 * Dashboards as Grafana's JSON: what is stored at the server, and what is imported from Grafana.
 *
 * A board is written with the members that Grafana has for it, and one of its own, `isopoint`, for what Grafana knows of
 * data sources and we of databases. So what is saved here opens there, as far as it goes.
 */
import { UNITS, type Unit } from "./format";
import { quote } from "./influxql";
import { type BoardSpec, type PanelSpec, STYLES, type Style, type Threshold, type Tone } from "./spec";
import { DAY, type Range, parseRange } from "./timerange";
import { LOCAL, UTC, isZone } from "./zone";

/** As much of Grafana's dashboard as is understood. */
export interface GrafanaDashboard {
  uid?: string;
  title?: string;
  version?: number;
  timezone?: string;
  time?: { from?: string; to?: string };
  panels?: GrafanaPanel[];
  annotations?: { list?: unknown[] };
  templating?: { list?: { name?: string }[] };
  isopoint?: { database?: string; annotations?: { measurement: string; field: string } };
}

export interface GrafanaPanel {
  id?: number;
  type?: string;
  title?: string;
  description?: string;
  gridPos?: { x?: number; y?: number; w?: number; h?: number };
  targets?: GrafanaTarget[];
  panels?: GrafanaPanel[];
  transformations?: unknown[];
  alert?: unknown;
  fieldConfig?: {
    defaults?: {
      unit?: string;
      min?: number;
      max?: number;
      custom?: { drawStyle?: string; fillOpacity?: number; stacking?: { mode?: string } };
      thresholds?: { mode?: string; steps?: { color?: string; value?: number | null }[] };
    };
    overrides?: unknown[];
  };
}

interface GrafanaTarget {
  refId?: string;
  hide?: boolean;
  rawQuery?: boolean;
  query?: string;
  expr?: string;
  measurement?: string;
  policy?: string;
  select?: { type?: string; params?: (string | number)[] }[][];
  tags?: { key?: string; operator?: string; value?: string; condition?: string }[];
  groupBy?: { type?: string; params?: (string | number)[] }[];
}

/** A board, and what of the JSON it does not show. */
export interface Imported {
  board: BoardSpec;
  left: string[];
}

const UNIT_NAMES: Record<string, Unit> = {
  percent: "percent", bytes: "bytes", decbytes: "bytes", Bps: "bytes/s", binBps: "bytes/s", cps: "count/s", ops: "count/s", reqps: "count/s", short: "number", none: "number",
  celsius: "°C", lengthmm: "mm", velocityms: "m/s", pressurehpa: "hPa", ms: "ms", s: "s", volt: "V", watt: "W", hertz: "Hz",
};
/** Grafana's names of units, from ours. */
const GRAFANA_UNITS: Record<Unit, string> = {
  number: "short", percent: "percent", bytes: "bytes", "bytes/s": "binBps", "count/s": "cps", ms: "ms", s: "s", V: "volt", W: "watt", Hz: "hertz", "°C": "celsius", mm: "lengthmm", "m/s": "velocityms", hPa: "pressurehpa",
};
const COLOURS: [Tone, RegExp][] = [["good", /green|^#(?:56A64B|73BF69|299c46)/i], ["warn", /yellow|orange|^#(?:FF9830|FADE2A|ED8128|EAB839)/i], ["bad", /red|^#(?:F2495C|E02F44|d44a3a)/i]];

/** Reads a dashboard; what it is asked of is `database` unless it says so itself. */
export function importDashboard(json: GrafanaDashboard, page: string, database: string): Imported {
  const left: string[] = [];
  const panels: PanelSpec[] = [];
  for (const panel of flatten(json.panels ?? [], left)) {
    const spec = readPanel(panel, panels.length, left);
    if (spec) panels.push(spec);
  }
  for (const { name = "?" } of json.templating?.list ?? []) left.push(`Variable “${name}”: queries that use it are as they stand`);
  const annotations = (json.annotations?.list ?? []).filter((one) => (one as { builtIn?: number }).builtIn !== 1);
  if (annotations.length > 0 && !json.isopoint?.annotations) left.push(`${annotations.length} annotation queries`);
  const zone = json.timezone === "utc" ? UTC : json.timezone && isZone(json.timezone) ? json.timezone : LOCAL;
  const title = json.title ?? "Untitled";
  const board: BoardSpec = {
    page,
    heading: title,
    title,
    database: json.isopoint?.database ?? database,
    panels,
    presets: [15 * 60_000, 3_600_000, 6 * 3_600_000, DAY, 7 * DAY, 30 * DAY],
    initial: readRange(json.time),
    live: (json.time?.to ?? "now") === "now",
    zone,
    missing: { title: "The database is not there", text: `This dashboard asks ${json.isopoint?.database ?? database}, which this server does not have.`, command: "" },
    ...(json.isopoint?.annotations ? { annotations: json.isopoint.annotations } : {}),
  };
  return { board, left };
}

/** The JSON of a board; `known` are the members of what it was read from, which are kept. */
export function exportDashboard(board: BoardSpec, known: GrafanaDashboard): GrafanaDashboard {
  return {
    ...known,
    title: board.title,
    timezone: board.zone === UTC ? "utc" : board.zone === LOCAL ? "browser" : board.zone,
    time: board.initial.kind === "last" ? { from: `now-${Math.round(board.initial.millis / 1000)}s`, to: "now" } : board.initial.kind === "fixed" ? { from: new Date(board.initial.from).toISOString(), to: new Date(board.initial.to).toISOString() } : { from: "all", to: "now" },
    panels: board.panels.map(writePanel),
    isopoint: { database: board.database, ...(board.annotations ? { annotations: board.annotations } : {}) },
  };
}

function flatten(panels: GrafanaPanel[], left: string[]): GrafanaPanel[] {
  return panels.flatMap((panel) => {
    if (panel.type !== "row") return [panel];
    left.push(`Row “${panel.title ?? ""}”: its panels are shown without it`);
    return panel.panels ?? [];
  });
}

function readPanel(panel: GrafanaPanel, number: number, left: string[]): PanelSpec | null {
  const title = panel.title || `Panel ${number + 1}`;
  const style = readStyle(panel);
  if (!style) {
    left.push(`“${title}”: there is no panel of type ${panel.type ?? "none"} here`);
    return null;
  }
  const targets = (panel.targets ?? []).filter(({ hide }) => hide !== true);
  const queries = targets.map(readTarget).filter((query) => query !== null);
  if (queries.length === 0) {
    left.push(`“${title}”: ${targets.length === 0 ? "it has no query" : "its query is not InfluxQL"}`);
    return null;
  }
  if (queries.length < targets.length) left.push(`“${title}”: queries that are not InfluxQL`);
  if (panel.transformations && panel.transformations.length > 0) left.push(`“${title}”: transformations`);
  if (panel.fieldConfig?.overrides && panel.fieldConfig.overrides.length > 0) left.push(`“${title}”: overrides of fields`);
  if (panel.alert) left.push(`“${title}”: its alert`);
  const defaults = panel.fieldConfig?.defaults ?? {};
  const unit = defaults.unit === undefined ? "number" : UNIT_NAMES[defaults.unit];
  if (!unit) left.push(`“${title}”: the unit ${defaults.unit}`);
  const thresholds = readThresholds(defaults.thresholds, title, left);
  return {
    id: `p${panel.id ?? number + 1}`,
    title,
    query: queries.join("; "),
    measurement: "",
    columns: [],
    unit: unit ?? "number",
    interval: 1000,
    style,
    ...(defaults.min === undefined ? {} : { floor: defaults.min }),
    ...(defaults.max === undefined ? {} : { ceiling: defaults.max }),
    ...(thresholds.length > 0 ? { thresholds } : {}),
    ...((panel.gridPos?.w ?? 12) > 14 ? { wide: true as const } : {}),
  };
}

function readStyle({ type, fieldConfig }: GrafanaPanel): Style | null {
  const custom = fieldConfig?.defaults?.custom;
  switch (type) {
    case "timeseries":
    case "graph":
      if (custom?.stacking?.mode === "normal") return "stacked";
      if (custom?.drawStyle === "bars") return "bars";
      if (custom?.drawStyle === "points") return "points";
      return (custom?.fillOpacity ?? 0) > 0 ? "area" : "line";
    case "barchart":
      return "bars";
    case "bargauge":
    case "gauge":
      return "gauge";
    case "stat":
    case "singlestat":
      return "stat";
    case "table":
    case "table-old":
      return "table";
    case "heatmap":
      return "heatmap";
    default:
      return null;
  }
}

function readTarget(target: GrafanaTarget): string | null {
  if (target.rawQuery !== false && typeof target.query === "string" && target.query.trim() !== "") return target.query.trim().replace(/;$/, "");
  if (!target.measurement || !target.select) return null;
  const columns = target.select.map((parts) => parts.reduce((text, { type = "", params = [] }) => readPart(text, type, params), ""));
  const source = target.policy && target.policy !== "default" ? `${quote(target.policy)}.${quote(target.measurement)}` : quote(target.measurement);
  const tags = (target.tags ?? []).map(({ key = "", operator, value = "", condition = "AND" }, at) => {
    const regex = /^\/.*\/$/.test(value);
    const shown = regex ? value : `'${value.replaceAll("'", "\\'")}'`;
    return `${at === 0 ? "" : ` ${condition} `}${quote(key)} ${operator ?? (regex ? "=~" : "=")} ${shown}`;
  });
  const groups = (target.groupBy ?? []).filter(({ type }) => type !== "fill").map(({ type, params = [] }) => (type === "time" ? `time(${params[0] ?? "$__interval"})` : quote(String(params[0] ?? ""))));
  const fill = (target.groupBy ?? []).find(({ type }) => type === "fill")?.params?.[0];
  const where = tags.length === 0 ? "$timeFilter" : `(${tags.join("")}) AND $timeFilter`;
  return `SELECT ${columns.join(", ")} FROM ${source} WHERE ${where}${groups.length > 0 ? ` GROUP BY ${groups.join(", ")}` : ""}${fill === undefined ? "" : ` fill(${fill})`}`;
}

function readPart(text: string, type: string, params: (string | number)[]): string {
  if (type === "field") return params[0] === "*" ? "*" : quote(String(params[0] ?? ""));
  if (type === "alias") return `${text} AS ${quote(String(params[0] ?? ""))}`;
  if (type === "math") return `${text}${params[0] ?? ""}`;
  return `${type}(${[text, ...params].join(", ")})`;
}

function readThresholds(given: { mode?: string; steps?: { color?: string; value?: number | null }[] } | undefined, title: string, left: string[]): Threshold[] {
  // The first step is the ground, without a value.
  const steps = (given?.steps ?? []).filter(({ value }) => typeof value === "number");
  if (steps.length > 0 && given?.mode === "percentage") {
    left.push(`“${title}”: thresholds in per cent`);
    return [];
  }
  return steps.map(({ color = "", value }) => ({ value: value ?? 0, tone: COLOURS.find(([, pattern]) => pattern.test(color))?.[0] ?? "bad" })).sort((a, b) => a.value - b.value);
}

function readRange(time: GrafanaDashboard["time"]): Range {
  const last = /^now-(\d+[smhd])$/.exec(time?.from ?? "")?.[1];
  const week = /^now-(\d+)w$/.exec(time?.from ?? "")?.[1];
  if (time?.from === "all") return { kind: "all" };
  if (week !== undefined) return { kind: "last", millis: Number(week) * 7 * DAY };
  return (last === undefined ? parseRange(`${time?.from ?? ""}..${time?.to ?? ""}`) : parseRange(last)) ?? { kind: "last", millis: 6 * 3_600_000 };
}

function writePanel(panel: PanelSpec, at: number): GrafanaPanel {
  const style = STYLES.find((style) => style === panel.style) ?? "line";
  const over: Style[] = ["line", "area", "stacked", "bars", "points", "band"];
  const custom = {
    drawStyle: style === "bars" || style === "points" ? style : "line",
    fillOpacity: style === "area" || style === "stacked" ? 15 : 0,
    stacking: { mode: style === "stacked" ? "normal" : "none" },
  };
  const steps = [{ color: "text", value: null }, ...(panel.thresholds ?? []).map(({ value, tone }) => ({ value, color: { good: "green", warn: "orange", bad: "red" }[tone] }))];
  return {
    id: at + 1,
    type: over.includes(style) ? "timeseries" : style,
    title: panel.title,
    gridPos: { x: panel.wide || at % 2 === 0 ? 0 : 12, y: Math.floor(at / 2) * 8, w: panel.wide ? 24 : 12, h: 8 },
    targets: [{ refId: "A", rawQuery: true, query: panel.query ?? "" }],
    fieldConfig: {
      defaults: {
        unit: GRAFANA_UNITS[UNITS.find((unit) => unit === panel.unit) ?? "number"],
        ...(panel.floor === undefined ? {} : { min: panel.floor }),
        ...(panel.ceiling === undefined ? {} : { max: panel.ceiling }),
        custom,
        thresholds: { mode: "absolute", steps },
      },
      overrides: [],
    },
  };
}
