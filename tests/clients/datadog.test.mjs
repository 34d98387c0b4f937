// Datadog's own clients against this server: only the address is another.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { ROOT, Server, run } from "./server.mjs";

const PYTHON = process.env.ISOPOINT_CLIENTS_PYTHON ?? join(ROOT, ".tools/clients/bin/python");
const skip = !existsSync(PYTHON) && `no ${PYTHON}`;

let server, statsd;
before(async () => {
  const probe = createSocket("udp4");
  statsd = await new Promise((done) => probe.bind(0, "127.0.0.1", () => done(probe.address().port)));
  await new Promise((done) => probe.close(done));
  server = await Server.start("--dogstatsd", `127.0.0.1:${statsd}`, "--dogstatsd-interval", "1");
});
after(() => server.stop());

test("Python datadog-api-client and datadog", { skip }, async () => {
  assert.match(await run(PYTHON, [join(ROOT, "tests/clients/datadog_clients.py"), server.url, String(statsd)]), /ok\n$/);
});

test("dog", { skip }, async () => {
  const env = { ...process.env, DATADOG_HOST: server.url, HOME: server.folder };
  const keys = ["--api-key", "an-api-key", "--application-key", "an-application-key"];
  const dog = (...args) => run(join(PYTHON, "../dog"), [...keys, ...args], { env });
  await dog("metric", "post", "dog.posted", "42", "--tags", "env:cli", "--host", "h");
  const now = Math.floor(Date.now() / 1000);
  const query = new URLSearchParams({ from: now - 600, to: now + 60, query: "avg:dog.posted{env:cli} by {host}" });
  const headers = { "DD-API-KEY": "a", "DD-APPLICATION-KEY": "b" };
  const answer = await (await fetch(`${server.url}/api/v1/query?${query}`, { headers })).json();
  assert.deepEqual(answer.series.map((series) => [series.scope, series.pointlist[0][1]]), [["env:cli,host:h", 42]]);
  const shown = JSON.parse(await dog("--raw", "metric", "post", "dog.again", "1").catch((error) => error.stdout || "{}") || "{}");
  assert.equal(shown.errors, undefined);
});

const RUST = process.env.ISOPOINT_CLIENTS_DATADOG ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/isopoint-client-datadog");

test("crate datadog-api-client", { skip: !existsSync(RUST) && `no ${RUST}` }, async () => {
  const env = { ...process.env, DD_API_KEY: "an-api-key", DD_APP_KEY: "an-application-key" };
  assert.match(await run(RUST, [server.url], { env }), /ok\n$/);
});

test("Node @datadog/datadog-api-client", async () => {
  const { client, v1, v2 } = (await import("@datadog/datadog-api-client")).default;
  const authMethods = { apiKeyAuth: "an-api-key", appKeyAuth: "an-application-key" };
  const configuration = client.createConfiguration({ authMethods, baseServer: new client.BaseServerConfiguration(server.url, {}) });
  const metrics = new v1.MetricsApi(configuration);
  const now = Math.floor(Date.now() / 60_000) * 60;
  const series = (host, value) => ({ metric: "node.load", type: "gauge", points: [[now - 60, value]], tags: [`host:${host}`] });
  await metrics.submitMetrics({ body: { series: [series("a", 1.5), series("b", 2.5)] } });
  const answer = await metrics.queryMetrics({ from: now - 600, to: now, query: "avg:node.load{*} by {host}" });
  assert.deepEqual(answer.series.map((one) => [one.scope, one.pointlist]), [["host:a", [[(now - 60) * 1000, 1.5]]], ["host:b", [[(now - 60) * 1000, 2.5]]]]);
  assert.deepEqual([answer.status, answer.fromDate, answer.series[0].interval], ["ok", (now - 600) * 1000, 2]);
  const points = [{ timestamp: now - 60, value: 7 }];
  const body = { series: [{ metric: "node.v2", type: 1, points, resources: [{ name: "c", type: "host" }] }] };
  const newer = new v2.MetricsApi(configuration);
  for (const contentEncoding of ["deflate", "gzip"]) assert.deepEqual((await newer.submitMetrics({ body, contentEncoding })).errors, []);
  const counted = await metrics.queryMetrics({ from: now - 600, to: now, query: "sum:node.v2{host:c}.as_count()" });
  assert.deepEqual(counted.series[0].pointlist.map(([, value]) => value), [7]);
  await assert.rejects(metrics.queryMetrics({ from: now - 600, to: now, query: "avg:node.load" }), (error) => error.code === 400 && /scope_expr/.test(error.body.errors[0]));
});

const PACKAGE = join(ROOT, "wasm/npm/dist/node.js");

test("a page's replica answers with the same bytes", { skip: !existsSync(PACKAGE) && `no ${PACKAGE}` }, async () => {
  const headers = { "DD-API-KEY": "a", "DD-APPLICATION-KEY": "b" };
  const post = async (path, body) => assert.equal((await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(body) })).status, 202);
  const now = Math.floor(Date.now() / 60_000) * 60 - 3600;
  const points = (step, value) => Array.from({ length: 30 }, (_, at) => [now + at * step, value(at)]);
  const series = ["a", "b", "c"].flatMap((host, number) => [
    { metric: "page.load", type: "gauge", tags: [`host:${host}`, "env:x"], points: points(10 + number, (at) => at * 1.5 - number) },
    { metric: "page.hits", type: "count", interval: 10, tags: [`host:${host}`, "role:r1", "role:r2"], points: points(10, (at) => at % 7) },
    { metric: "page.rate", type: "rate", interval: 10, tags: [`host:${host}`], points: points(10, (at) => at / 3) },
  ]);
  await post("/api/v1/series", { series });
  await post("/api/v1/distribution_points", { series: [{ metric: "page.spread", points: points(20, (at) => [at, at * 2, 1]) }] });
  const put = await fetch(`${server.url}/api/v1/metrics/page.load`, { method: "PUT", headers, body: JSON.stringify({ unit: "byte", per_unit: "second" }) });
  assert.equal(put.status, 200);

  const { Engine } = await import("isopoint");
  const engine = await Engine.open({ source: server.url });
  try {
    const same = async (path, parameters) => {
      const url = `${path}?${new URLSearchParams(parameters)}`;
      const there = await fetch(server.url + url, { headers });
      const here = await engine.exchange({ method: "GET", url, headers });
      const text = await there.text();
      assert.equal(here.status, there.status, url);
      assert.equal(new TextDecoder().decode(here.body), text, url);
      return text;
    };
    const first = await same("/api/v1/query", { from: now - 60, to: now + 900, query: "avg:page.load{*}" });
    assert.match(first, /"unit":\[\{"family":"bytes"/, "units come along");
    for (const query of [
      "avg:page.load{*}",
      "sum:page.load{env:x} by {host}.rollup(max, 60)",
      "sum:page.hits{*} by {role}.as_count()",
      "sum:page.rate{!host:a}.as_rate() / avg:page.load{*}",
      "p95:page.spread{*}, diff(avg:page.load{*} by {host})",
      "top5_mean(avg:page.load{host:* AND NOT host:b} by {host})",
      "anomalies(avg:page.load{*}, 'basic', 2)",
      "forecast(avg:page.load{*}, 'linear', 1)",
      "avg:page.nothing{*}",
      "avg:page.load{*",
    ]) {
      await same("/api/v1/query", { from: now - 60, to: now + 900, query });
    }
    // What becomes known later comes along too.
    const changed = { method: "PUT", headers, body: JSON.stringify({ unit: "second", description: "changed" }) };
    assert.equal((await fetch(`${server.url}/api/v1/metrics/page.load`, changed)).status, 200);
    const after = await same("/api/v1/query", { from: now - 60, to: now + 900, query: "avg:page.load{*}" });
    assert.match(after, /"unit":\[\{"family":"time"/);
    assert.match(await same("/api/v1/metrics/page.load", {}), /"changed"/);
    await same("/api/v1/metrics", { from: now - 60 });
    await same("/api/v1/search", { q: "metrics:page" });
    await same("/api/v1/tags/hosts", {});
    await same("/api/v2/metrics", {});
    await same("/api/v2/metrics/page.hits/all-tags", {});
  } finally {
    await engine.close();
  }
});
