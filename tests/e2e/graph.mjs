// What a person does with the graph page.
import { Engine } from "../../wasm/npm/dist/node.js";
import { check, equal, eventually, test } from "./harness.mjs";

const byId = (page, id) => page.locator(`[data-testid="${id}"]`);
const answers = async (page) => Number(await byId(page, "board-graph").getAttribute("data-answer"));

/** Does something and waits for the answer to it. */
async function answered(page, what, act) {
  const before = await answers(page);
  await act();
  await eventually(what, async () => (await answers(page)) > before && (await byId(page, "board-graph").getAttribute("data-state")) === "ready");
}

async function choose(page, id, value) {
  await eventually(`${id} has ${value}`, () => byId(page, id).evaluate((select, value) => [...select.options].some((option) => option.value === value), value));
  await byId(page, id).selectOption(value);
}

test("a graph is made from the catalog, kept and found again", async ({ page, server }) => {
  const now = Math.floor(Date.now() / 1000);
  const lines = Array.from({ length: 600 }, (_, at) => `load,host=web1 short=${at % 60},long=${100 - (at % 50)} ${(now - 1 - at) * 1_000_000_000}`);
  await server.query("CREATE DATABASE graphs");
  await server.write("graphs", lines.join("\n"));
  await page.goto(`${server.url}/#graph`);
  await choose(page, "graph-origin", "graphs");
  await choose(page, "graph-source", "web1");
  for (const metric of ["load.short", "load.long"]) {
    await choose(page, "graph-metric", metric);
    await answered(page, `${metric} is drawn`, () => byId(page, "graph-add").click());
  }
  const rows = byId(page, "graph-table").locator("tbody tr");
  equal(await rows.count(), 2, "rows of the table");
  equal(await byId(page, "graph-table").locator("thead th").allInnerTexts(), ["Series", "min", "max", "avg", "last"], "columns of the table");

  // The slider is live, and is the number of points.
  for (const sample of [20, 60]) {
    await answered(page, `${sample} points`, () => byId(page, "graph-sample").fill(String(sample)));
    const points = Number(await byId(page, "board-graph").getAttribute("data-points"));
    check(points > 0 && points <= sample, `${points} points for a sample of ${sample}`);
  }
  await answered(page, "percentiles", () => byId(page, "graph-percentiles").fill("50, 95"));
  check((await byId(page, "graph-table").locator("thead").innerText()).includes("95th"), "the table has percentiles");
  await answered(page, "stacked", () => choose(page, "graph-stack", "percent"));
  await answered(page, "the sum", () => choose(page, "graph-operator", "2"));
  equal(await rows.count(), 1, "rows of the sum");
  if (process.env.GRAPH_SCREENSHOT) await page.screenshot({ path: process.env.GRAPH_SCREENSHOT });

  // Kept, changed, found again.
  await byId(page, "graph-name").fill("load.sum");
  await answered(page, "saved", () => byId(page, "graph-save").click());
  const stored = await (await fetch(`${server.url}/api/v1/library/graphs?fields=name,groups,options`)).json();
  equal([stored[0].name, stored[0].groups[0].operator, stored[0].options], ["load.sum", 2, { percentiles: [50, 95], stack_mode: "percent" }], "what is kept");
  await answered(page, "no operator", () => choose(page, "graph-operator", "0"));
  await answered(page, "loaded", () => byId(page, "graph-load").click());
  equal([await byId(page, "graph-operator").inputValue(), await rows.count()], ["2", 1], "what is found");
});

/** Numbers of a row of the table, as its cells' titles have them: exact, where the text is for people. */
async function summary(page, row) {
  const cells = byId(page, "graph-table").locator("tbody tr").nth(row).locator("td");
  return cells.evaluateAll((cells) => cells.map((cell) => Number(cell.title)));
}

/** Whether pixels of the chart differ from what they were. */
const picture = (page) => byId(page, "graph-plot").locator("canvas").evaluate((canvas) => canvas.toDataURL());

test("every control of a graph changes the answer and the picture", async ({ page, server }) => {
  const now = Math.floor(Date.now() / 1000);
  // Ninety values, 1 to 90, a second apart, the last of them now: whatever buckets are made of them, these figures hold.
  const lines = Array.from({ length: 90 }, (_, at) => `ramp,host=web2 v=${90 - at} ${(now - 5 - at) * 1_000_000_000}`);
  await server.query("CREATE DATABASE controls");
  await server.write("controls", lines.join("\n"));
  await page.goto(`${server.url}/#graph`);
  await choose(page, "graph-origin", "controls");
  await choose(page, "graph-source", "web2");
  await choose(page, "graph-metric", "ramp.v");
  await answered(page, "the series is drawn", () => byId(page, "graph-add").click());
  await answered(page, "wide buckets", () => byId(page, "graph-sample").fill("10"));
  const changes = async (what, act) => {
    const before = await picture(page);
    await answered(page, what, act);
    await eventually(`${what}: another picture`, async () => (await picture(page)) !== before);
  };
  const [, , average] = await summary(page, 0);
  check(average > 1 && average < 90, `the average is ${average}`);

  // Of the greatest (least, first, last) value of each bucket the greatest is 90 (the least 1).
  await changes("the greatest of each bucket", () => choose(page, "graph-consolidate", "4"));
  equal((await summary(page, 0)).filter((_, at) => at === 1 || at === 3), [90, 90], "max and last of the greatest");
  await changes("the least of each bucket", () => choose(page, "graph-consolidate", "5"));
  equal((await summary(page, 0))[0], 1, "min of the least");
  await answered(page, "the last of each bucket", () => choose(page, "graph-consolidate", "3"));
  equal((await summary(page, 0))[3], 90, "last of the last");
  await answered(page, "a scale", () => byId(page, "graph-scale").fill("-2"));
  equal((await summary(page, 0))[0], -180, "min of the scaled");
  await changes("no scale", () => byId(page, "graph-scale").fill(""));
  await answered(page, "percentiles", () => byId(page, "graph-percentiles").fill("0, 100"));
  const [min, max, , , lowest, highest] = await summary(page, 0);
  equal([lowest, highest], [min, max], "the outermost percentiles are min and max");

  // The same series twice, stacked: the picture reaches twice as high. A percent stack always reaches 100.
  await answered(page, "the series twice", () => byId(page, "graph-add").click());
  for (const mode of ["normal", "percent", "none"]) await changes(`stacked: ${mode}`, () => choose(page, "graph-stack", mode));
  await changes("the sum of both", () => choose(page, "graph-operator", "2"));
  equal((await summary(page, 0))[3], 180, "last of the sum");
  await changes("another range", () => choose(page, "graph-range", "3600000"));

  // Copied, a request answers as the page did.
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.url });
  const copied = async (id) => {
    await byId(page, id).click();
    await eventually("it says so", async () => (await byId(page, "graph-said").innerText()) === "Copied");
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const request = await copied("graph-json");
  const { graph, sample } = JSON.parse(request);
  equal([graph.groups[0].operator, graph.groups[0].consolidate, graph.groups[0].series.length, sample], [2, 3, 2, 10], "what is copied");
  const answer = await fetch(`${server.url}/api/v1/series/points`, { method: "POST", headers: { "content-type": "application/json" }, body: request });
  equal((await answer.json()).series[0].summary.last, 180, "the copied request's answer");
  const command = await copied("graph-curl");
  check(command.startsWith("curl ") && command.includes("/api/v1/series/points"), command);
});

test("a replica computes a stored graph as the server does, byte for byte", async ({ server }) => {
  const json = { "content-type": "application/json" };
  await server.query("CREATE DATABASE bytes");
  await server.write("bytes", Array.from({ length: 500 }, (_, at) => `m,host=h${at % 3} v=${at / 7} ${(1_500_000_000 + at) * 1_000_000_000}`).join("\n"));
  const post = async (path, body) => {
    const answer = await fetch(`${server.url}/api/v1${path}`, { method: "POST", headers: json, body: JSON.stringify(body) });
    return { status: answer.status, text: await answer.text(), at: answer.headers.get("location") };
  };
  const group = (await post("/library/sourcegroups", { name: "hosts", patterns: ["glob:H*"] })).at.split("/").pop();
  const series = [{ origin: "bytes", source: `group:${group}`, metric: "m.{{ .field }}" }];
  const made = await post("/library/graphs", { name: "bytes", alias: "by-alias", groups: [{ name: "all", operator: 1, series }], attributes: { field: "v" } });
  equal(made.status, 201, "the graph is kept");
  const request = { id: "by-alias", time: "2017-07-14T02:50:00Z", range: "-10m", sample: 37 };
  const wanted = (await post("/series/points", request)).text;
  check(wanted.includes('"name":"all"'), wanted);
  // The same engine, a replica of that server, given the library as one file.
  const engine = await Engine.open({ source: server.url });
  try {
    const library = await (await fetch(`${server.url}/api/v1/library/export`)).text();
    const ask = (path, body) => engine.exchange({ method: "POST", url: `/api/v1${path}`, headers: json, body });
    equal((await ask("/library/import?replace=1", library)).status, 200, "the library is taken");
    await engine.sync("bytes");
    const answer = await ask("/series/points", JSON.stringify(request));
    equal(new TextDecoder().decode(answer.body), wanted, "the answer");
  } finally {
    await engine.close();
  }
});
