/** The four query languages as runs of letters that mean one thing. */

export const LANGUAGES = ["influxql", "datadog", "facette", "grafana"] as const;
export type Language = (typeof LANGUAGES)[number];

export type Kind = "keyword" | "call" | "name" | "text" | "number" | "time" | "sign" | "comment" | "plain";

export interface Token {
  kind: Kind;
  text: string;
}

const KEYWORDS = new Set(
  ("ALL ALTER ANALYZE AND ANY AS ASC BEGIN BY CARDINALITY CREATE CONTINUOUS DATABASE DATABASES DEFAULT DELETE DESC DESTINATIONS DIAGNOSTICS DISTINCT DROP DURATION END EVERY EXACT EXPLAIN FALSE FIELD FILL FOR FROM GRANT GRANTS GROUP GROUPS IN INF INSERT INTO KEY KEYS KILL LIMIT MEASUREMENT MEASUREMENTS NAME OFFSET ON OR ORDER PASSWORD POLICY POLICIES PRIVILEGES QUERIES QUERY READ REPLICATION RESAMPLE RETENTION REVOKE SELECT SERIES SET SHARD SHARDS SHOW SLIMIT SOFFSET STATS SUBSCRIPTION SUBSCRIPTIONS TAG TO TRUE TZ USER USERS VALUES WHERE WITH WRITE").split(" "),
);

/** One rule a kind, tried in order at each place. */
type Rule = [Kind, RegExp];

const INFLUXQL: Rule[] = [
  ["comment", /--[^\n]*|\/\*[^]*?(?:\*\/|$)/y],
  ["name", /"(?:\\.|[^"\\\n])*"?/y],
  ["text", /'(?:\\.|[^'\\\n])*'?/y],
  ["text", /(?<=[=!]~\s*|FROM\s+|from\s+)\/(?:\\.|[^/\\\n])+\/?/y],
  ["time", /\d+(?:ns|u|µ|ms|s|m|h|d|w)(?:\d+(?:ns|u|µ|ms|s|m|h|d|w))*\b/y],
  ["number", /\d+(?:\.\d+)?i?\b/y],
  ["time", /\$(?:timeFilter|__interval_ms|__interval|interval)\b/y],
  ["call", /[A-Za-z_]\w*(?=\s*\()/y],
  ["plain", /[A-Za-z_]\w*/y],
  ["sign", /[^\sA-Za-z_0-9"']/y],
];

const DATADOG: Rule[] = [
  ["keyword", /(?:avg|sum|min|max|count|p\d{2}|by|AND|OR|NOT|IN)\b(?=\s*[:{(]|\s)/y],
  ["call", /\.?[a-z_]\w*(?=\s*\()/y],
  ["text", /"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?/y],
  ["number", /\d+(?:\.\d+)?/y],
  ["name", /[A-Za-z][\w.-]*/y],
  ["sign", /[^\s\w]/y],
];

const JSON_RULES: Rule[] = [
  ["name", /"(?:\\.|[^"\\\n])*"(?=\s*:)/y],
  ["text", /"(?:\\.|[^"\\\n])*"?/y],
  ["number", /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
  ["keyword", /true|false|null/y],
  ["sign", /[{}[\]:,]/y],
];

const RULES: Record<Language, Rule[]> = { influxql: INFLUXQL, datadog: DATADOG, facette: JSON_RULES, grafana: JSON_RULES };

/** The tokens of a text, end to end: nothing is left out. */
export function tokens(language: Language, text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const token = match(RULES[language], text, at) ?? { kind: "plain" as const, text: text[at] ?? "" };
    at += token.text.length;
    const last = found.at(-1);
    if (last && last.kind === "plain" && token.kind === "plain") last.text += token.text;
    else found.push(token);
  }
  return language === "influxql" ? found.flatMap(keywords) : found;
}

function match(rules: Rule[], text: string, at: number): Token | null {
  for (const [kind, rule] of rules) {
    rule.lastIndex = at;
    const [found] = rule.exec(text) ?? [];
    if (found) return { kind: kind === "call" && KEYWORDS.has(found.toUpperCase()) && rules === INFLUXQL ? "keyword" : kind, text: found };
  }
  return null;
}

/** Plain words that mean something to InfluxQL. */
function keywords(token: Token): Token[] {
  if (token.kind !== "plain") return [token];
  return token.text.split(/(\b[A-Za-z_]\w*\b)/).filter((part) => part !== "").map((part) => ({ kind: KEYWORDS.has(part.toUpperCase()) ? "keyword" : "plain", text: part }));
}

/** Words that may stand at a place of a text: what is being written there, and where it begins. */
export function wordAt(text: string, caret: number): { start: number; word: string } {
  const before = text.slice(0, caret);
  const word = /(?:"[^"\n]*|[\w.]*)$/.exec(before)?.[0] ?? "";
  return { start: caret - word.length, word };
}

export const INFLUXQL_WORDS: readonly string[] = [
  "SELECT", "FROM", "WHERE", "GROUP BY time(1m)", "fill(none)", "fill(linear)", "fill(previous)", "ORDER BY time DESC", "LIMIT", "SLIMIT", "SHOW MEASUREMENTS", "SHOW FIELD KEYS", "SHOW TAG KEYS", "SHOW TAG VALUES WITH KEY =",
  "mean(", "max(", "min(", "sum(", "count(", "first(", "last(", "median(", "percentile(", "stddev(", "spread(", "derivative(", "non_negative_derivative(", "difference(", "moving_average(", "cumulative_sum(", "top(", "bottom(", "now()",
];

export const DATADOG_WORDS: readonly string[] = ["avg:", "sum:", "min:", "max:", "count:", "by {", ".rollup(avg, 60)", ".fill(zero)", ".as_rate()", ".as_count()", "abs(", "diff(", "derivative(", "per_second(", "cumsum(", "ewma_5(", "top(", "timeshift("];
