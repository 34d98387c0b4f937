import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { align, lineLabel, perSecond, valuesAt } = await load("data");
const { queryText } = await load("spec");
const { curl, errorPlace, quote, frozen } = await load("influxql");
const { parseRoute, printRoute } = await load("route");

test("counters become growth per second; resets and the bucket under way are unknown", () => {
  const rates = perSecond({ times: [0, 10_000, 20_000, 40_000, 50_000], values: [100, 300, 50, 90, 95] }, 10_000, 55_000);
  assert.deepEqual(rates, { times: [10_000, 20_000, 40_000], values: [20, null, 2] });
  assert.deepEqual(perSecond({ times: [0, 1000, 2000], values: [5, null, 9] }, 1000, 9000), { times: [2000], values: [2] });
});

test("lines with the same times share them as they are", () => {
  const { times, values } = align([{ times: [0, 1000], values: [1, 2] }, { times: [0, 1000], values: [3, null] }], 1000);
  assert.deepEqual({ times, values }, { times: [0, 1], values: [[1, 2], [3, null]] });
});

test("lines with other times keep to their own, and pauses break them", () => {
  const { times, values } = align([{ times: [0, 10_000], values: [1, 2] }, { times: [5000, 10_000, 15_000], values: [3, 4, 5] }], 5000);
  assert.deepEqual(times, [0, 5, 10, 15]);
  assert.deepEqual(values, [[1, undefined, 2, undefined], [undefined, 3, 4, 5]]);
  assert.deepEqual(align([{ times: [0, 30_000], values: [1, 2] }], 10_000), { times: [0, 10, 30], values: [[1, null, 2]] });
  assert.deepEqual(align([], 1000), { times: [], values: [] });
});

test("a legend shows what is under the cursor, or the end of each line", () => {
  const columns = [[1, undefined, 3, undefined], [4, null, 6, null]];
  assert.deepEqual(valuesAt(columns, null), [3, 6]);
  assert.deepEqual(valuesAt(columns, 1), [1, null]);
  assert.deepEqual(valuesAt([[]], null), [null]);
});

const SPEC = { id: "x", title: "X", measurement: "m", columns: [{ field: 'a"b', call: "mean", label: "a" }], unit: "number", interval: 1000 };

test("a panel's query", () => {
  assert.equal(
    queryText({ ...SPEC, groupBy: ["host"] }, { from: 0, to: 60_000 }, 10_000),
    'SELECT mean("a\\"b") AS "c0" FROM "m" WHERE time >= 0ms AND time < 60000ms GROUP BY time(10s), "host" fill(none)',
  );
  assert.equal(quote("a\\b"), '"a\\\\b"');
});

test("names of lines", () => {
  const two = { ...SPEC, columns: [...SPEC.columns, { field: "c", call: "last", label: "c" }] };
  assert.equal(lineLabel(SPEC, {}, 0), "a");
  assert.equal(lineLabel(SPEC, { host: "h" }, 0), "h");
  assert.equal(lineLabel(two, { host: "h" }, 1), "h c");
});

test("the place that an error names", () => {
  const text = 'SELECT mean("usage")\nFORM "cpu"';
  assert.deepEqual(errorPlace("found FORM, expected FROM at line 2, char 1", text), { line: 2, char: 1, offset: 21, length: 4 });
  // A quoted text is reported one character early.
  assert.deepEqual(errorPlace("found cpu, expected x at line 2, char 5", text), { line: 2, char: 5, offset: 25, length: 6 });
  assert.deepEqual(errorPlace("found EOF, expected FROM at line 2, char 11", text), { line: 2, char: 11, offset: 31, length: 0 });
  assert.deepEqual(errorPlace("found x at line 1, char 3", "😀 x"), { line: 1, char: 3, offset: 3, length: 1 }, "characters are code points");
  assert.equal(errorPlace("database not found: x", text), null);
  assert.equal(errorPlace("at line 9, char 1", text), null);
});

test("now is frozen, but not inside names and texts", () => {
  const text = `SELECT "now()" FROM m WHERE time > NOW() - 1h AND s = 'it\\'s now()' AND time <= now( )`;
  assert.equal(frozen(text, 5), `SELECT "now()" FROM m WHERE time > '1970-01-01T00:00:00.005Z' - 1h AND s = 'it\\'s now()' AND time <= '1970-01-01T00:00:00.005Z'`);
});

test("a command for the shell", () => {
  assert.equal(curl("http://h", "d", "SHOW 'x'"), `curl -G 'http://h/query' --data-urlencode 'db=d' --data-urlencode 'q=SHOW '\\''x'\\'''`);
});

test("routes survive their way through the address", () => {
  const route = { page: "weather/hourly", range: { kind: "last", millis: 900_000 }, zoom: { from: Date.UTC(2026, 0), to: Date.UTC(2026, 1) }, zone: "Europe/Berlin", query: null };
  const hash = printRoute(route);
  assert.equal(hash, "#weather/hourly?range=15m&zoom=2026-01-01T00:00:00Z..2026-02-01T00:00:00Z&tz=Europe/Berlin");
  assert.deepEqual(parseRoute(hash), route);
  const query = { page: "query", range: null, zoom: null, zone: null, query: { text: "SELECT 'a&b=c#'\n+1", database: "d" } };
  assert.deepEqual(parseRoute(printRoute(query)), query);
  assert.deepEqual(parseRoute("#machine?range=nonsense&zoom=x"), { page: "machine", range: null, zoom: null, zone: null, query: null });
});
