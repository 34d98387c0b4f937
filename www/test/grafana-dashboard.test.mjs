import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { exportDashboard, importDashboard } = await load("grafana-dashboard");
const { queryText, toneOf } = await load("spec");

const raw = (query) => [{ refId: "A", rawQuery: true, query }];

/** As Grafana 11 exports it, shortened. */
const DASHBOARD = {
  uid: "abc",
  title: "House",
  timezone: "Europe/Berlin",
  time: { from: "now-2d", to: "now" },
  templating: { list: [{ name: "room", type: "query" }] },
  annotations: { list: [{ builtIn: 1, name: "Annotations & Alerts" }, { name: "doors" }] },
  panels: [
    { id: 1, type: "timeseries", title: "Power", gridPos: { w: 24 }, targets: raw('SELECT mean("w") FROM "power" WHERE $timeFilter GROUP BY time($__interval)'), fieldConfig: { defaults: { unit: "watt", min: 0, custom: { fillOpacity: 10 }, thresholds: { mode: "absolute", steps: [{ color: "green", value: null }, { color: "orange", value: 2000 }, { color: "red", value: 5000 }] } } } },
    { id: 2, type: "row", title: "Upstairs", panels: [{ id: 3, type: "gauge", title: "Heat", targets: raw("SELECT last(c) FROM t WHERE $timeFilter"), fieldConfig: { defaults: { unit: "celsius", max: 40 }, overrides: [{}] } }] },
    {
      id: 4, type: "timeseries", title: "Built", fieldConfig: { defaults: { unit: "furlongs", custom: { drawStyle: "bars" } } },
      targets: [{ refId: "A", measurement: "cpu", policy: "default", select: [[{ type: "field", params: ["idle"] }, { type: "mean", params: [] }, { type: "math", params: [" * -1"] }, { type: "alias", params: ["busy"] }]], tags: [{ key: "host", operator: "=~", value: "/^web/" }, { condition: "AND", key: "cpu", operator: "=", value: "total" }], groupBy: [{ type: "time", params: ["$__interval"] }, { type: "tag", params: ["host"] }, { type: "fill", params: ["null"] }] }],
    },
    { id: 5, type: "text", title: "Notes" },
    { id: 6, type: "stat", title: "Prometheus", targets: [{ refId: "A", expr: "up" }] },
    { id: 7, type: "table", title: "Hidden", targets: [{ ...raw("SELECT 1")[0], hide: true }] },
  ],
};

test("a dashboard of Grafana's is read, and what is left out is told", () => {
  const { board, left } = importDashboard(DASHBOARD, "d/x", "home");
  assert.deepEqual([board.title, board.zone, board.initial, board.database, board.live], ["House", "Europe/Berlin", { kind: "last", millis: 2 * 86_400_000 }, "home", true]);
  assert.deepEqual(board.panels.map(({ title, style, unit }) => [title, style, unit]), [["Power", "area", "W"], ["Heat", "gauge", "°C"], ["Built", "bars", "number"]]);
  assert.deepEqual(board.panels[0].thresholds, [{ value: 2000, tone: "warn" }, { value: 5000, tone: "bad" }]);
  assert.deepEqual([board.panels[0].floor, board.panels[0].wide, board.panels[1].ceiling], [0, true, 40]);
  assert.equal(board.panels[2].query, `SELECT mean("idle") * -1 AS "busy" FROM "cpu" WHERE ("host" =~ /^web/ AND "cpu" = 'total') AND $timeFilter GROUP BY time($__interval), "host" fill(null)`);
  for (const what of ["Row “Upstairs”", "“Heat”: overrides", "the unit furlongs", "no panel of type text", "“Prometheus”: its query is not InfluxQL", "“Hidden”: it has no query", "Variable “room”", "1 annotation"]) {
    assert.ok(left.some((line) => line.includes(what)), `${what} is not told: ${left.join("; ")}`);
  }
  assert.equal(left.length, 8);
});

test("a board is the same after it was written and read", () => {
  const { board } = importDashboard(DASHBOARD, "d/x", "home");
  const again = importDashboard(exportDashboard(board, {}), "d/x", "elsewhere");
  assert.deepEqual(again.left, []);
  const plain = ({ panels, ...rest }) => ({ ...rest, missing: null, panels: panels.map(({ id: _, ...panel }) => panel) });
  assert.deepEqual(plain(again.board), plain(board));
  const fixed = { ...board, initial: { kind: "fixed", from: 0, to: 86_400_000 }, zone: "UTC" };
  const { initial, zone } = importDashboard(exportDashboard(fixed, {}), "d/x", "").board;
  assert.deepEqual([initial, zone], [fixed.initial, "UTC"]);
});

test("the words that stand for range and bucket are filled in", () => {
  const panel = { query: "SELECT a FROM m WHERE $timeFilter GROUP BY time($__interval), $interval_x, $__interval_ms" };
  assert.equal(queryText(panel, { from: 5, to: 7 }, 60_000), "SELECT a FROM m WHERE time >= 5ms AND time < 7ms GROUP BY time(1m), $interval_x, 60000");
});

test("a value has the tone of the highest threshold that it reaches", () => {
  const thresholds = [{ value: 10, tone: "warn" }, { value: 20, tone: "bad" }];
  assert.deepEqual([9.9, 10, 19, 20, null].map((value) => toneOf(value, thresholds)), [null, "warn", "warn", "bad", null]);
});
