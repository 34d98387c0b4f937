/** Datadog's query language on the query page: what an answer says, completion. */

/** What the answer of one series says of itself. */
export interface Explained {
  interval: number;
  method: string;
  sources: number;
  fill: string;
  fill_limit?: number;
  partial: boolean;
}

interface AnswerSeries {
  scope: string;
  display_name: string;
  tag_set: string[];
  pointlist: [number, number | null][];
  attributes: Explained;
}

export interface Answer {
  series: AnswerSeries[];
}

/** "interval 20 s, avg over 3 sources, linear fill": once for all series of which it is true. */
export function planText(answer: Answer): string {
  const plans = answer.series.map(({ attributes: { interval, method, sources, fill, fill_limit: limit } }) => {
    const over = `${method} over ${sources} ${sources === 1 ? "source" : "sources"}`;
    const filled = fill === "null" ? "no fill" : `${fill} fill${limit === undefined ? "" : ` up to ${limit} s`}`;
    return `interval ${interval} s, ${over}, ${filled}`;
  });
  const partial = answer.series.some(({ attributes }) => attributes.partial) ? "; the last bucket is not full yet" : "";
  return [...new Set(plans)].join("; ") + partial;
}

/** A command that asks the server the same, over the last so many seconds. */
export function curlDatadog(address: string, secs: number, query: string): string {
  const shell = (argument: string): string => `'${argument.replaceAll("'", `'\\''`)}'`;
  const window = `--data-urlencode "from=$(($(date +%s) - ${secs}))" --data-urlencode "to=$(date +%s)"`;
  return `curl -G ${shell(`${address}/api/v1/query`)} -H 'DD-API-KEY: any' -H 'DD-APPLICATION-KEY: any' ${window} --data-urlencode ${shell(`query=${query}`)}`;
}

/** What is known for completion. `tags` are those of the metric that the caret's braces belong to. */
export interface Known {
  metrics: string[];
  tags: string[];
}

const AGGREGATORS = ["avg:", "sum:", "min:", "max:", "count:", "p95:"];
const FUNCTIONS = ["abs(", "anomalies(", "clamp_max(", "clamp_min(", "count_nonzero(", "cumsum(", "day_before(", "default_zero(", "derivative(", "diff(", "ewma_5(", "forecast(", "hour_before(", "integral(", "median_5(", "monotonic_diff(", "moving_rollup(", "outliers(", "per_second(", "timeshift(", "top(", "top5_mean(", "trend_line(", "week_before("];
const MODIFIERS = ["as_count()", "as_rate()", "fill(", "rollup("];
const MOST = 8;

/** The open brace that the caret is in: whose metric it is, and whether keys to group by stand there. */
export function bracesAt(text: string, caret: number): { metric: string; by: boolean } | null {
  const before = text.slice(0, caret);
  const open = before.lastIndexOf("{");
  if (open < 0 || before.indexOf("}", open) >= 0) return null;
  const found = /([A-Za-z][\w.]*)\s*(?:\{[^{}]*\}\s*(?:\.\w+\([^()]*\)\s*)*by\s*)?$/.exec(before.slice(0, open));
  return found?.[1] === undefined ? null : { metric: found[1], by: found[0].includes("{") };
}

/** What may stand instead of the word that the caret is at the end of: from where on, and what. */
export function complete(text: string, caret: number, known: Known): { from: number; options: string[] } {
  const before = text.slice(0, caret);
  const braces = bracesAt(text, caret);
  const pick = (word: string, all: string[]): { from: number; options: string[] } => {
    const lower = word.toLowerCase();
    const begins = all.filter((option) => option.toLowerCase().startsWith(lower));
    const holds = all.filter((option) => lower.length > 1 && !begins.includes(option) && option.toLowerCase().includes(lower));
    const options = [...begins, ...holds].filter((option) => option !== word);
    return { from: caret - word.length, options: options.slice(0, MOST) };
  };
  if (braces) {
    const word = /[^\s,{}()!]*$/.exec(before)?.[0] ?? "";
    const keys = [...new Set(known.tags.map((tag) => tag.split(":")[0] ?? ""))].sort();
    return pick(word, braces.by ? keys : word.includes(":") ? known.tags : [...keys.map((key) => `${key}:`), ...known.tags]);
  }
  const modifier = /[})]\s*\.(\w*)$/.exec(before);
  if (modifier) return pick(modifier[1] ?? "", MODIFIERS);
  const word = /[\w.]*$/.exec(before)?.[0] ?? "";
  // Names alone follow an aggregator; nothing is offered after a finished query.
  if (/[})]\s*$/.test(before)) return { from: caret, options: [] };
  const named = before.slice(0, caret - word.length).endsWith(":");
  return pick(word, named || word === "" ? known.metrics : [...AGGREGATORS, ...known.metrics, ...FUNCTIONS]);
}
