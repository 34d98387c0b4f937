// The package as a user gets it: packed, installed in an empty folder, imported by its name.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { install } from "./install.mjs";

let folder;
/** What `import "isopoint"` gives in the folder. */
let isopoint;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "isopoint-package-"));
  await install(folder);
  const entry = join(folder, "entry.mjs");
  await writeFile(entry, 'export * from "isopoint";\nexport const wasm = import.meta.resolve("isopoint/full.wasm");\n');
  isopoint = await import(pathToFileURL(entry).href);
});

after(() => rm(folder, { recursive: true, force: true }));

/** An engine with database `d` and what `lines` says. */
async function opened(lines, options) {
  const engine = await isopoint.Engine.open(options);
  const created = await engine.exchange({ method: "POST", url: "/query", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: "q=CREATE+DATABASE+d" });
  assert.equal(created.status, 200);
  if (lines !== undefined) await engine.write(lines, { database: "d" });
  return engine;
}

const rejects = (promise, code) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof isopoint.IsopointError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.message, "");
    return true;
  });

test("columns have the types of their fields", async () => {
  const big = 9007199254740993n;
  const engine = await opened(`m,host=a f=1.5,i=${big}i,b=true,s="x" 1000000001\nm,host=a f=2.5 2000000000\nm,host=b b=false 3000000000`);
  const result = await engine.query("SELECT f, i, b, s FROM m GROUP BY host", { database: "d" });
  const [a, b] = result.series();
  assert.deepEqual([a.name, a.tags, b.tags], ["m", { host: "a" }, { host: "b" }]);
  assert.ok(a.times instanceof BigInt64Array);
  assert.deepEqual([...a.times], [1000000001n, 2000000000n]);
  assert.deepEqual([...a.timesMillis()].map(Math.floor), [1000, 2000]);
  const column = (name) => a.columns.find((column) => column.name === name);
  assert.deepEqual([column("f").type, column("i").type, column("b").type, column("s").type], ["float", "integer", "boolean", "string"]);
  assert.ok(column("f").values instanceof Float64Array);
  assert.ok(column("i").values instanceof BigInt64Array);
  assert.deepEqual([...column("f").values], [1.5, 2.5]);
  assert.equal(column("i").values[0], big);
  assert.deepEqual([...column("i").present], [1, 0]);
  assert.equal(column("b").values[0], 1);
  assert.equal(column("s").values[0], "x");
  assert.equal(result.stats.where, "page");
  engine.close();
});

test("a write says what it kept and what not", async () => {
  const engine = await opened();
  const good = await engine.write("m v=1 1\nm v=2 2", { database: "d" });
  assert.deepEqual([good.points, good.dropped, good.error], [2, 0, undefined]);
  const part = await engine.write('m v=3 3\nm v="text" 4', { database: "d" });
  assert.deepEqual([part.points, part.dropped], [1, 1]);
  assert.match(part.error, /field type conflict/);
  const seconds = await engine.write(new TextEncoder().encode("t v=1 7"), { database: "d", precision: "s" });
  assert.equal(seconds.points, 1);
  const [series] = (await engine.query("SELECT v FROM t", { database: "d" })).series();
  assert.equal(series.times[0], 7_000_000_000n);
  engine.close();
});

test("fetch answers the server's paths in the page, Grafana's frames too", async () => {
  const engine = await opened("m,host=a v=1.5 1000000000\nm,host=a v=2 2000000000");
  const query = await engine.fetch("http://any.host/query?db=d&epoch=ms&q=SELECT+v+FROM+m");
  assert.deepEqual((await query.json()).results[0].series[0].values, [[1000, 1.5], [2000, 2]]);
  const source = { name: "here", type: "influxdb", access: "proxy", url: "local://", uid: "here", jsonData: { dbName: "d" } };
  const made = await engine.exchange({ method: "POST", url: "/api/datasources", body: JSON.stringify(source) });
  assert.equal(made.status, 200);
  const body = JSON.stringify({ from: "0", to: "5000", queries: [{ refId: "A", datasource: { uid: "here" }, rawQuery: true, query: "SELECT v FROM m WHERE $timeFilter GROUP BY host" }] });
  const frames = await engine.fetch("/api/ds/query", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  assert.equal(frames.status, 200);
  const [frame] = (await frames.json()).results.A.frames;
  assert.deepEqual(frame.data.values, [[1000, 2000], [1.5, 2]]);
  assert.deepEqual(frame.schema.fields[1].labels, { host: "a" });
  engine.close();
});

test("exchange answers as the server would", async () => {
  const engine = await opened("m v=1 1");
  const ping = await engine.exchange({ method: "GET", url: "/ping" });
  assert.equal(ping.status, 204);
  assert.ok(ping.headers.some(([name, value]) => name.toLowerCase() === "x-influxdb-version" && value.startsWith("1.8")));
  const answer = await engine.exchange({ method: "GET", url: "/query?db=d&epoch=ns&q=SELECT+v+FROM+m" });
  assert.equal(new TextDecoder().decode(answer.body), '{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[1,1]]}]}]}\n');
  assert.equal((await engine.exchange({ method: "GET", url: "/nothing" })).status, 404);
  const lengths = ["GET", "HEAD"].map(async (method) => (await engine.exchange({ method, url: "/query?db=d&q=SELECT+v+FROM+m" })).body.length);
  assert.deepEqual((await Promise.all(lengths)).map((length) => length > 0), [true, false]);
  engine.close();
});

test("points answers an inline graph", async () => {
  const engine = await opened("cpu,host=web usage=1 1000000000\ncpu,host=web usage=3 2000000000");
  const series = [{ name: "usage", origin: "d", source: "web", metric: "cpu.usage" }];
  const graph = { name: "g", groups: [{ name: "", operator: 0, consolidate: 1, series }] };
  const answer = await engine.points({ graph, start_time: "1970-01-01T00:00:00Z", end_time: "1970-01-01T00:00:10Z" });
  assert.deepEqual(answer.series[0].points, [[1, 1], [2, 3]]);
  await rejects(engine.points({ graph: 7 }), "request");
  engine.close();
});

test("every error has a code", async () => {
  const engine = await opened("m v=1 1");
  await rejects(engine.query("SELECT FROM", { database: "d" }), "request");
  const unknown = await engine.query("SELECT v FROM m", { database: "nope" });
  assert.match(unknown.results[0].error, /database not found: nope/);
  await rejects(engine.sync("d"), "source");
  await rejects(isopoint.Engine.open({ wasm: new Uint8Array([0, 1, 2, 3]) }), "load");
  engine.close();
  await rejects(engine.query("SHOW DATABASES"), "closed");
  await rejects(engine.write("m v=1", { database: "d" }), "closed");
  engine.close();
});

test("a signal cancels a query, and the engine goes on", async () => {
  const lines = Array.from({ length: 20_000 }, (_, at) => `m v=${at} ${at}`);
  const engine = await opened(lines.join("\n"));
  const early = new AbortController();
  early.abort();
  await rejects(engine.query("SELECT v FROM m", { database: "d", signal: early.signal }), "aborted");
  const [series] = (await engine.query("SELECT count(v) FROM m", { database: "d", signal: new AbortController().signal })).series();
  assert.equal(Number(series.columns[0].values[0]), 20_000);
  engine.close();
});

test("the module's bytes are exported", async () => {
  const engine = await opened("m v=1 1", { wasm: new URL(isopoint.wasm) });
  assert.equal((await engine.query("SELECT v FROM m", { database: "d" })).series().length, 1);
  engine.close();
});
