// Grafana's clients against this server: the Python client's data source calls, and frames read by the package that
// Grafana's own pages read them with.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { ROOT, Server, run } from "./server.mjs";

const PYTHON = process.env.ISOPOINT_CLIENTS_PYTHON ?? join(ROOT, ".tools/clients/bin/python");
const PACKAGE = process.env.ISOPOINT_GRAFANA_DATA ?? join(ROOT, ".tools/grafana-data/package.json");
const without = (file) => !existsSync(file) && `no ${file}`;

let server;
before(async () => (server = await Server.start("--auth", "--admin-password", "admin")));
after(() => server.stop());

test("Python grafana-client", { skip: without(PYTHON) }, async () => {
  assert.match(await run(PYTHON, [join(ROOT, "tests/clients/grafana_calls.py"), server.url, "admin", "admin"]), /ok\n$/);
});

test("@grafana/data", { skip: without(PACKAGE) }, async () => {
  const env = { ...process.env, ISOPOINT_GRAFANA_DATA: PACKAGE };
  assert.match(await run(process.execPath, [join(ROOT, "tests/clients/grafana_data.mjs"), server.url, "admin", "admin"], { env }), /ok\n$/);
});
