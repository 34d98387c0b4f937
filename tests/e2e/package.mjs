// The npm package in a page, beside a server: live queries, aborting, progress, all four APIs, equal answers.
import { check, equal, eventually, test } from "./harness.mjs";
import { open, servePackage } from "./package-page.mjs";

const now = Math.floor(Date.now() / 1000);

async function prepared(server) {
  await server.query("CREATE DATABASE datadog");
  await server.query("CREATE DATABASE pkg");
  await server.write("datadog", Array.from({ length: 120 }, (_, at) => `system.load,host=h${at % 2} value=${at} ${(now - at * 10) * 1_000_000_000}`).join("\n"));
  await server.write("pkg", Array.from({ length: 50000 }, (_, at) => `cpu,host=h${at % 4} usage=${Math.sin(at * 78.233) * 1000} ${(now - at) * 1_000_000_000}`).join("\n"));
  await server.flush();
}

test("a replica answers in the words of all four APIs, and as the server does", async ({ page, server }) => {
  await prepared(server);
  const files = await servePackage(() => server.url);
  try {
    await open(page, files.url);
    const said = await page.evaluate(async (now) => {
      const engine = await Engine.open({ source: location.origin });
      const datadog = await engine.datadog("avg:system.load{*} by {host}", now - 1200, now);
      const series = [{ name: "usage", origin: "pkg", source: "h1", metric: "cpu.usage" }];
      const graph = { name: "g", groups: [{ name: "", operator: 0, consolidate: 1, series }] };
      const points = await engine.points({ graph, time: new Date(now * 1000).toISOString(), range: "-1h", sample: 50, normalize: true });
      const frames = await engine.frames({ database: "pkg", from: String((now - 3600) * 1000), to: String(now * 1000), queries: [{ query: "SELECT mean(usage) FROM cpu WHERE $timeFilter GROUP BY time(1m), host" }] });
      const url = `/query?db=pkg&q=${encodeURIComponent(`SELECT mean(usage) FROM cpu WHERE time > ${now - 3600}s AND time <= ${now}s GROUP BY time(1m), host`)}`;
      const verified = await engine.verify({ method: "GET", url });
      const different = await engine.verify({ method: "GET", url: "/query?db=pkg&q=SHOW+FIELD+KEYX" });
      engine.close();
      return {
        datadog: datadog.map((one) => [one.scope, one.times instanceof Float64Array, one.values.length > 3]),
        points: points.series[0].points.length,
        frames: frames.map(({ fields }) => [fields[1].labels.host, fields[0].values instanceof Float64Array, fields[1].values.length]),
        verified,
        different: different.equal,
      };
    }, now);
    equal(said.datadog.map(([scope]) => scope).sort(), ["host:h0", "host:h1"], "scopes");
    check(said.datadog.every(([, typed, enough]) => typed && enough), "Datadog's series are typed columns");
    check(said.points > 10 && said.points <= 50, `${said.points} points of Facette's`);
    equal(said.frames.map(([host]) => host).sort(), ["h0", "h1", "h2", "h3"], "frames");
    check(said.frames.every(([, typed, rows]) => typed && rows >= 60), "frames are typed columns");
    check(said.verified.equal && /^sha-256=[0-9a-f]{64}$/.test(said.verified.here) && said.verified.bytes > 5000, JSON.stringify(said.verified));
    check(said.different, "errors are the same too");
  } finally {
    files.close();
  }
});

test("a live query answers again when points come, and ends when it is told", async ({ page, server }) => {
  await server.query("CREATE DATABASE alive");
  await server.write("alive", "m v=1 1");
  const files = await servePackage(() => server.url);
  try {
    await open(page, files.url);
    await page.evaluate(async () => {
      const engine = await Engine.open({ source: location.origin });
      window.answers = [];
      window.stop = new AbortController();
      void (async () => {
        for await (const result of engine.live("SELECT count(v) FROM m", { database: "alive", signal: window.stop.signal })) {
          window.answers.push(Number(result.series()[0].columns[0].values[0]));
        }
        window.ended = true;
        engine.close();
      })();
    });
    const last = () => page.evaluate(() => window.answers.at(-1));
    await eventually("the first answer", async () => (await last()) === 1);
    for (let points = 2; points <= 4; points += 1) {
      await server.write("alive", `m v=${points} ${points}`);
      await eventually(`${points} points`, async () => (await last()) === points);
    }
    await page.evaluate(() => window.stop.abort());
    await eventually("the loop ends", () => page.evaluate(() => window.ended === true));
  } finally {
    files.close();
  }
});

test("calls can be ended, and tell how far they are", async ({ page, server }) => {
  await prepared(server);
  const files = await servePackage(() => server.url);
  try {
    await open(page, files.url);
    const said = await page.evaluate(async () => {
      const code = (promise) => promise.then(() => "done", (error) => error.code);
      const aborted = AbortSignal.abort();
      const opening = new AbortController();
      const opened = code(Engine.open({ source: location.origin, signal: opening.signal }));
      opening.abort();
      const engine = await Engine.open({ source: location.origin });
      const progress = [];
      await engine.query("SELECT usage FROM cpu", { database: "pkg", onProgress: (step) => progress.push(step) });
      const running = new AbortController();
      const query = code(engine.query("SELECT usage FROM cpu", { database: "pkg", signal: running.signal }));
      running.abort();
      const codes = [
        await opened,
        await query,
        ...(await Promise.all([
          code(engine.query("SELECT usage FROM cpu", { database: "pkg", signal: aborted })),
          code(engine.write("m v=1", { database: "mine", signal: aborted })),
          code(engine.points({}, { signal: aborted })),
          code(engine.datadog("avg:m{*}", 0, 1, { signal: aborted })),
          code(engine.frames({ database: "pkg", from: "0", to: "1", queries: [] }, { signal: aborted })),
          code(engine.sync("pkg", { signal: aborted })),
          code(engine.databases({ signal: aborted })),
          code(engine.prefetch("SELECT usage FROM cpu", { database: "pkg", signal: aborted })),
          code(engine.exchange({ method: "GET", url: "/ping" }, { signal: aborted })),
          code(engine.verify({ method: "GET", url: "/ping" }, { signal: aborted })),
        ])),
      ];
      const after = await engine.query("SELECT count(usage) FROM cpu", { database: "pkg" });
      engine.close();
      return { codes, progress, count: Number(after.series()[0].columns[0].values[0]) };
    });
    equal(said.codes, said.codes.map(() => "aborted"), "codes");
    check(said.progress.length > 0, "nothing was told of progress");
    const last = said.progress.at(-1);
    check(last.bytesFetched === last.bytesToFetch && last.bytesToFetch > 10_000, JSON.stringify(said.progress));
    equal(said.count, 50000, "the engine goes on");
  } finally {
    files.close();
  }
});

test("the engine stands in for fetch", async ({ page }) => {
  const files = await servePackage();
  try {
    await open(page, files.url);
    const said = await page.evaluate(async () => {
      const engine = await Engine.open();
      globalThis.fetch = engine.fetch;
      const form = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } };
      await fetch("/query", { ...form, body: "q=CREATE DATABASE d" });
      const write = await fetch("/write?db=d", { method: "POST", body: "cpu,host=a usage=1 1000000000\ncpu,host=a usage=3 2000000000" });
      const query = await (await fetch("/query?db=d&epoch=s&q=SELECT+mean(usage)+FROM+cpu")).json();
      const graph = { name: "g", groups: [{ name: "", operator: 0, consolidate: 1, series: [{ name: "u", origin: "d", source: "a", metric: "cpu.usage" }] }] };
      const points = await (await fetch("/api/v1/series/points", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ graph, start_time: "1970-01-01T00:00:00Z", end_time: "1970-01-01T00:00:10Z" }) })).json();
      await fetch("/query", { ...form, body: "q=CREATE DATABASE datadog" });
      await fetch("/write?db=datadog", { method: "POST", body: "load value=7 10000000000" });
      const datadog = await (await fetch("/api/v1/query?query=avg:load{*}&from=0&to=60", { headers: { "dd-api-key": "k", "dd-application-key": "k" } })).json();
      const source = { name: "own", uid: "own", type: "influxdb", access: "proxy", url: "local://", jsonData: { dbName: "d" } };
      await engine.exchange({ method: "POST", url: "/api/datasources", body: JSON.stringify(source) });
      const queries = [{ refId: "A", datasource: { uid: "own" }, rawQuery: true, query: "SELECT usage FROM cpu WHERE $timeFilter" }];
      const frames = await (await fetch("/api/ds/query", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ from: "0", to: "5000", queries }) })).json();
      const page = await fetch("/index.html");
      engine.close();
      return [write.status, query.results[0].series[0].values, points.series[0].points, datadog.series?.[0]?.pointlist?.[0]?.[1], frames.results?.A?.frames?.[0]?.data.values, page.status, (await page.text()).includes("<title>package")];
    });
    equal(said, [204, [[0, 2]], [[1, 1], [2, 3]], 7, [[1000, 2000], [1, 3]], 200, true], "answers");
  } finally {
    files.close();
  }
});
