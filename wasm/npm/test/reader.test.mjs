// The reader beside a real server, and its change to the full module.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Server } from "../../../tests/e2e/harness.mjs";
import { install } from "./install.mjs";

let folder;
let server;
let Engine;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "isopoint-reader-"));
  await install(folder);
  ({ Engine } = await import(pathToFileURL(join(folder, "node_modules/isopoint/dist/node.js"))));
  server = await Server.start();
  await server.query("CREATE DATABASE d");
  const lines = Array.from({ length: 200 }, (_, at) => `m,host=h${at % 3} v=${at / 4},n=${at}i,s="t${at % 5}",b=${at % 2 === 0} ${at * 1_000_000_000}`);
  await server.write("d", lines.join("\n"));
  // Some points in block files, some only in the tail.
  await server.flush();
  await server.write("d", "m,host=h0 v=-1,n=7i 200000000000");
});

after(async () => {
  await server?.end();
  await rm(folder, { recursive: true, force: true });
});

const open = (options) => Engine.open({ source: server.url, databases: ["d"], ...options });

/** What both modules must agree on, statement by statement. */
const STATEMENTS = [
  "SELECT * FROM m WHERE time < 20s",
  "SELECT mean(v), sum(n), min(v), max(n), count(s), first(s), last(b) FROM m WHERE time < 210s GROUP BY time(7s), host fill(previous)",
  "SELECT mean(v) / 2 + count(n) FROM m WHERE v > 3.5 AND host =~ /h[01]/ AND time < 200s GROUP BY time(1m) fill(linear)",
  "SELECT v FROM m WHERE s = 't1' OR n > 150 ORDER BY time DESC LIMIT 5 OFFSET 2",
  "SELECT v FROM nothing; SELECT nothing(v) FROM m; SHOW MEASUREMENTS; SHOW TAG VALUES WITH KEY = host; SHOW FIELD KEYS",
];

/** Columns and times as plain values, or the error's code and words. */
async function answer(engine, text) {
  try {
    const { results } = await engine.query(text, { database: "d", now: 300_000 });
    const plain = (series) => ({
      name: series.name,
      tags: series.tags,
      times: [...series.times],
      columns: series.columns.map((column) => [column.name, column.type, Array.from({ length: column.values.length }, (_, row) => column.get(row))]),
    });
    return results.map(({ series, error }) => ({ series: series.map(plain), error }));
  } catch (error) {
    return [error.code, error.message];
  }
}

test("the reader answers as the full module does", async () => {
  const [reader, full] = await Promise.all([open(), open({ module: "full" })]);
  for (const text of STATEMENTS) {
    const expected = await answer(full, text);
    assert.deepEqual(await answer(reader, text), expected, text);
    assert.ok(expected.length > 0, text);
  }
  reader.close();
  full.close();
});

/** What the dashboard's panels and most queries are: no page loads more for them. */
const PLAIN = [
  "SELECT mean(v) AS c0, max(n) AS c1 FROM m WHERE time >= 0ms AND time < 210000ms GROUP BY time(10s), host fill(none)",
  "SELECT first(v) FROM m; SELECT last(v) FROM m",
  "SELECT * FROM m WHERE host =~ /h[01]/ AND s != 't1' ORDER BY time DESC LIMIT 7 OFFSET 1",
  "SELECT v, host FROM m WHERE v > 3.5 AND (n < 20 OR b = true) AND time >= '1970-01-01T00:00:05Z' AND time < now() - 1m",
  "SELECT spread(v), sum(n) * 2 - count(s) FROM m WHERE time < 210s GROUP BY time(7s, 2s) fill(previous) SLIMIT 1",
  "SELECT count(*), min(/v|n/) FROM m GROUP BY *",
  "SELECT nothing FROM m; SELECT v FROM nothing",
];

/** What takes the full module, if only to say what is wrong. */
const BEYOND = [
  "SELECT median(v) FROM m",
  "SELECT derivative(mean(v), 1s) FROM m WHERE time < 210s GROUP BY time(10s)",
  "SELECT mean(x) FROM (SELECT v AS x FROM m)",
  "SELECT sqrt(v) FROM m",
  "SELECT v * sqrt(4) FROM m",
  "SELECT v FROM m WHERE v > sqrt(4)",
  "SELECT n % 7 FROM m",
  "SELECT count(distinct(v)) FROM m",
  "SELECT distinct v FROM m",
  "SELECT v * 0.12345678901234567 FROM m",
  "SELECT mean(v) FROM m WHERE time < 210s GROUP BY time(10s) tz('Europe/Berlin')",
  "SELECT mean(v) FROM m WHERE time < 210s GROUP BY time('1mo')",
  "SELECT v FROM m ORDER BY value(v)",
  "SELECT v INTO other FROM m",
  "EXPLAIN SELECT v FROM m",
  "SHOW MEASUREMENTS",
  "SELECT v FROM m WHERE",
  "SELECT mean(s) FROM m",
  "SELECT v, mean(v) FROM m",
  "SELECT v FROM elsewhere..m",
];

test("plain statements take nothing but the reader, the others the full module", async () => {
  const reader = new URL("node_modules/isopoint/pkg/reader/isopoint_bg.wasm", pathToFileURL(`${folder}/`));
  const engine = await open({ wasm: { reader, full: new URL("no-such-file.wasm", reader) } });
  const full = await open({ module: "full" });
  for (const text of PLAIN) {
    const expected = await answer(full, text);
    assert.deepEqual(await answer(engine, text), expected, text);
    assert.ok(expected.length > 0 || text.includes("nothing"), text);
    const { bytesNeeded } = await full.prefetch(text, { database: "d", now: 300_000 });
    assert.equal((await engine.prefetch(text, { database: "d", now: 300_000 })).bytesNeeded, bytesNeeded, text);
  }
  for (const text of BEYOND) {
    const load = ({ code }) => code === "load";
    await assert.rejects(engine.query(text, { database: "d", now: 300_000 }), load, text);
    await assert.rejects(engine.prefetch(text, { database: "d", now: 300_000 }), load, text);
    const one = await open();
    assert.deepEqual(await answer(one, text), await answer(full, text), text);
    one.close();
  }
  engine.close();
  full.close();
});

test("what the reader cannot do loads the full module, and nothing is lost", async () => {
  const engine = await open();
  const [before] = await answer(engine, STATEMENTS[0]);
  assert.deepEqual((await engine.query("CREATE DATABASE mine")).results, []);
  assert.equal((await engine.write("x v=1 1", { database: "mine" })).points, 1);
  const csv = await engine.exchange({ method: "GET", url: "/query?db=d&q=SELECT+count(v)+FROM+m", headers: { accept: "application/csv" } });
  assert.match(new TextDecoder().decode(csv.body), /^name,tags,time,count\nm,,0,201\n/);
  assert.deepEqual(await answer(engine, STATEMENTS[0]), [before]);
  assert.deepEqual((await engine.stats()).databases, ["d", "mine"]);
  // The replica goes on with the new module.
  const heard = new Promise((resolve) => engine.on(({ type, points }) => type === "points" && points > 0 && resolve(points)));
  await server.write("d", "m,host=h0 v=5 201000000000");
  await heard;
  const [{ series }] = (await engine.query("SELECT count(v) FROM m", { database: "d" })).results;
  assert.equal(Number(series[0].columns[0].values[0]), 202);
  engine.close();
});

test("with the server gone the reader stays, and says why it is only that", async () => {
  const lone = await Server.start();
  await lone.query("CREATE DATABASE d");
  await lone.write("d", "m v=1 1");
  const engine = await Engine.open({ source: lone.url, databases: ["d"] });
  const expected = await answer(engine, "SELECT v FROM m");
  assert.equal(expected[0].series.length, 1);
  await lone.end();
  await assert.rejects(engine.write("x v=1 1", { database: "mine" }), ({ code }) => code === "source");
  assert.deepEqual(await answer(engine, "SELECT v FROM m"), expected);
  engine.close();
});
