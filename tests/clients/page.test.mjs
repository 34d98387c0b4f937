// The npm package beside a server: queries of Grafana's API answered by the replica as the server answers them, and
// `fetch` for all four APIs, also when the server has gone.
import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine } from "isopoint";
import { Server } from "./server.mjs";

const JSON_HEADERS = { "content-type": "application/json" };
const [FROM, TO] = [1_700_000_000, 1_700_003_600];

/** A server with points of every type and a data source that is the server itself, and one that is not. */
async function prepared() {
  const server = await Server.start();
  for (const database of ["d", "datadog"]) await server.query(`CREATE DATABASE ${database}`);
  const lines = Array.from({ length: 600 }, (_, at) => `cpu,host=h${at % 3} usage=${Math.sin(at) * 100},n=${at}i,up=${at % 2 === 0},text="t${at}" ${(FROM + at * 6) * 1_000_000_000 + at}`);
  for (const database of ["d", "datadog"]) {
    const written = await fetch(`${server.url}/write?db=${database}`, { method: "POST", body: lines.join("\n") });
    assert.equal(written.status, 204, await written.text());
  }
  const make = (record) => fetch(`${server.url}/api/datasources`, { method: "POST", headers: JSON_HEADERS, body: JSON.stringify({ access: "proxy", ...record }) });
  assert.equal((await make({ name: "own", uid: "own", type: "influxdb", url: "local://", jsonData: { dbName: "d" } })).status, 200);
  assert.equal((await make({ name: "self", uid: "self", type: "influxdb", url: server.url, database: "d" })).status, 200);
  assert.equal((await make({ name: "test", uid: "test", type: "testdata" })).status, 200);
  return server;
}

const query = (refId, model, uid = "own") => ({ refId, datasource: { uid, type: "influxdb" }, intervalMs: 60_000, maxDataPoints: 60, ...model });
const ask = (...queries) => ({ method: "POST", url: "/api/ds/query", headers: JSON_HEADERS, body: JSON.stringify({ from: String(FROM * 1000), to: String(TO * 1000), queries }) });
const raw = (text) => ({ rawQuery: true, query: text });
const graph = { name: "g", groups: [{ name: "", operator: 0, consolidate: 1, series: [{ name: "usage", origin: "d", source: "h1", metric: "cpu.usage" }] }] };
const span = { start_time: new Date(FROM * 1000).toISOString(), end_time: new Date(TO * 1000).toISOString() };

test("the replica's frames are the server's, byte for byte", async (t) => {
  const server = await prepared();
  t.after(() => server.stop());
  const engine = await Engine.open({ source: server.url, databases: ["d", "datadog"] });
  t.after(() => engine.close());
  const requests = {
    raw: ask(query("A", raw("SELECT usage, n, up, text FROM cpu WHERE $timeFilter GROUP BY host"))),
    macros: ask(query("A", { ...raw("SELECT mean(usage), max(n) FROM cpu WHERE $timeFilter GROUP BY time($__interval), host fill(null)"), alias: "$tag_host of $col" })),
    builder: ask(query("A", { measurement: "cpu", select: [[{ type: "field", params: ["usage"] }, { type: "mean" }]], groupBy: [{ type: "time", params: ["$__interval"] }, { type: "fill", params: ["previous"] }], tags: [{ key: "host", operator: "=", value: "h2" }] })),
    table: ask(query("A", { ...raw("SELECT usage, text FROM cpu WHERE $timeFilter LIMIT 5"), resultFormat: "table" })),
    datadog: ask(query("A", { queryType: "datadog", query: "avg:cpu.usage{*} by {host}" })),
    facette: ask(query("A", { queryType: "facette", query: { graph, normalize: true } })),
    "by its own address": ask(query("A", raw("SELECT count(usage) FROM cpu WHERE $timeFilter"), "self")),
    "many at once": ask(query("B", raw("SELECT max(usage) FROM cpu")), query("A", raw("SHOW TAG VALUES FROM cpu WITH KEY = host"))),
    expressions: ask(query("A", raw("SELECT mean(usage) FROM cpu WHERE $timeFilter GROUP BY time(1m), host")), { refId: "R", datasource: { uid: "__expr__" }, type: "reduce", expression: "A", reducer: "max" }),
    wrong: ask(query("A", raw("SELECT usage FRM cpu"))),
  };
  for (const [name, request] of Object.entries(requests)) {
    const { equal, bytes } = await engine.verify(request);
    assert.ok(equal && bytes > 60, name);
    const [here, there] = await Promise.all([engine.fetch, fetch].map(async (asked) => (await asked(server.url + request.url, { method: "POST", headers: JSON_HEADERS, body: request.body })).text()));
    assert.equal(here, there, name);
    assert.equal(here.includes('"error"'), name === "wrong", `${name}: ${here.slice(0, 300)}`);
  }
  // A data source that the page cannot answer for is the server's.
  const other = await engine.fetch(`${server.url}/api/ds/query`, ask({ refId: "A", datasource: { uid: "test" }, scenarioId: "csv_metric_values", stringInput: "1,2" }));
  assert.deepEqual((await other.json()).results.A.frames[0].data.values[1], [1, 2]);
});

test("fetch answers all four APIs in the page, and goes on when the server has gone", async (t) => {
  const server = await prepared();
  t.after(() => server.stop());
  const engine = await Engine.open({ source: server.url, databases: ["d", "datadog"] });
  t.after(() => engine.close());
  const keys = { "dd-api-key": "k", "dd-application-key": "k" };
  const calls = [
    [`/query?db=d&epoch=ns&q=${encodeURIComponent("SELECT mean(usage) FROM cpu GROUP BY host")}`, {}],
    [`/api/v1/query?query=${encodeURIComponent("avg:cpu.usage{*} by {host}")}&from=${FROM}&to=${TO}`, { headers: keys }],
    ["/api/v1/series/points", { method: "POST", headers: JSON_HEADERS, body: JSON.stringify({ graph, ...span, sample: 20, normalize: true }) }],
    ["/api/ds/query", { method: "POST", headers: JSON_HEADERS, body: ask(query("A", raw("SELECT mean(usage) FROM cpu WHERE $timeFilter GROUP BY time(10m), host"))).body }],
  ];
  const answers = (asked) => Promise.all(calls.map(async ([path, init]) => {
    const answer = await asked(server.url + path, init);
    return [path, answer.status, await answer.text()];
  }));
  const there = await answers(fetch);
  for (const [path, status, text] of there) assert.ok(status === 200 && text.length > 200, `${path}: ${status} ${text}`);
  assert.deepEqual(await answers(engine.fetch), there);
  server.child.kill("SIGKILL");
  await once(server.child, "exit");
  await assert.rejects(fetch(server.url));
  assert.deepEqual(await answers(engine.fetch), there);
});

test("a database that is first asked for while the full module comes is waited for", async (t) => {
  const server = await prepared();
  t.after(() => server.stop());
  for (const delay of [0, 1, 2, 4, 8, 16, 32, 64, 128]) {
    const engine = await Engine.open({ source: server.url });
    const asked = [engine.query("SHOW MEASUREMENTS", { database: "d" })];
    await sleep(delay);
    asked.push(engine.query("SHOW MEASUREMENTS", { database: "datadog" }), engine.sync("datadog").then(() => engine.query("SHOW MEASUREMENTS", { database: "datadog" })));
    const late = sleep(20_000, null, { ref: false });
    for (const answer of asked) {
      const result = await Promise.race([answer, late]);
      assert.notEqual(result, null, `after ${delay} ms: no answer`);
      assert.equal(result.series()[0]?.column("name")?.get(0), "cpu", `after ${delay} ms`);
    }
    engine.close();
  }
});
