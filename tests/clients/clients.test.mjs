// Clients of InfluxDB 1.x as their users install them. Which are there is for `cargo xtask` to see to; one that is not
// is skipped, aloud.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { ROOT, PROGRAM, Server, run } from "./server.mjs";

let server;
before(async () => (server = await Server.start()));
after(() => server.stop());

const PYTHON = process.env.ISOPOINT_CLIENTS_PYTHON ?? join(ROOT, ".tools/clients/bin/python");

test("Python influxdb", { skip: !existsSync(PYTHON) && `no ${PYTHON}` }, async () => {
  assert.match(await run(PYTHON, [join(ROOT, "tests/clients/influxdb_client.py"), String(server.port)]), /ok\n$/);
});

const RUST = process.env.ISOPOINT_CLIENTS_INFLUX ?? "";

test("the Rust crate influxdb", { skip: !existsSync(RUST) && "ISOPOINT_CLIENTS_INFLUX names no program" }, async () => {
  assert.match(await run(RUST, [server.url]), /ok\n$/);
});

test("Node influx", async () => {
  const { InfluxDB, FieldType } = await import("influx");
  const schema = [{ measurement: "response", fields: { path: FieldType.STRING, ms: FieldType.INTEGER }, tags: ["host"] }];
  const influx = new InfluxDB({ host: "127.0.0.1", port: server.port, database: "node", schema });
  await influx.createDatabase("node");
  assert.ok((await influx.getDatabaseNames()).includes("node"));
  await influx.writePoints([
    { measurement: "response", tags: { host: "a" }, fields: { path: "/", ms: 12 }, timestamp: new Date(1_767_225_600_000) },
    { measurement: "response", tags: { host: "b" }, fields: { path: "/x", ms: 30 }, timestamp: new Date(1_767_225_601_000) },
  ]);
  const rows = await influx.query("SELECT ms, path FROM response WHERE host = 'b'");
  assert.deepEqual([rows.length, rows[0].ms, rows[0].path, rows[0].time.getTime()], [1, 30, "/x", 1_767_225_601_000]);
  const means = await influx.query("SELECT mean(ms) FROM response GROUP BY host");
  assert.deepEqual(means.groups().map((group) => [group.tags.host, group.rows[0].mean]), [["a", 12], ["b", 30]]);
  assert.deepEqual(await influx.getMeasurements("node"), ["response"]);
  assert.equal((await influx.ping(1000))[0].online, true);
  await influx.dropDatabase("node");
});

const influxCli = await run("influx", ["-version"]).then(() => undefined, () => "no `influx` on PATH");

test("the influx shell", { skip: influxCli }, async () => {
  const ask = (statement, ...more) => run("influx", ["-port", String(server.port), "-execute", statement, ...more]);
  await ask("CREATE DATABASE cli");
  await ask("INSERT m,k=a v=1.5,s=\"x y\" 1767225600000000000", "-database", "cli");
  const table = await ask("SELECT * FROM m", "-database", "cli");
  assert.match(table, /^name: m\ntime +k s +v *\n-+ +- - +- *\n1767225600000000000 a x y 1.5\n/);
  assert.match(await ask("SELECT v FROM m", "-database", "cli", "-format", "csv", "-precision", "rfc3339"), /m,2026-01-01T00:00:00Z,1.5/);
  const json = JSON.parse(await ask("SHOW DATABASES", "-format", "json"));
  assert.ok(json.results[0].series[0].values.flat().includes("cli"));
  await ask("DROP DATABASE cli");
});

test("isopoint query", async () => {
  const ask = (...args) => run(PROGRAM, ["query", "--host", server.url, ...args]);
  await ask("-e", "CREATE DATABASE own");
  await ask("-d", "own", "-e", "insert m,k=a v=1.5 1767225600000000000");
  assert.equal(await ask("-d", "own", "-e", "SELECT v FROM m"), "name: m\ntime                    v\n--------------------  ---\n2026-01-01T00:00:00Z  1.5\n");
  assert.equal(await ask("-d", "own", "--format", "csv", "--precision", "s", "-e", "SELECT v FROM m"), "name,tags,time,v\nm,,1767225600,1.5\n");
  assert.equal(JSON.parse(await ask("--format", "json", "-e", "SHOW DATABASES")).results[0].statement_id, 0);
  await assert.rejects(ask("-e", "SELECT v FROM nowhere..m"), (error) => error.code === 1 && /database not found: nowhere/.test(error.stderr));
  await ask("-e", "DROP DATABASE own");
});
