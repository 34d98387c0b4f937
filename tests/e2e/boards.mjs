// What a person does with dashboards that the server keeps, and with what charts say of their points.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, check, equal, eventually, test } from "./harness.mjs";

const byId = (page, id) => page.locator(`[data-testid="${id}"]`);
const STYLES = ["line", "area", "stacked", "bars", "points", "heatmap", "stat", "gauge", "table"];
const QUERY = 'SELECT mean("usage") FROM "cpu" WHERE $timeFilter GROUP BY time($__interval), "host" fill(none)';

/** Half an hour of three hosts, and two moments worth a mark. */
async function prepared(server, database = "house") {
  await server.query(`CREATE DATABASE ${database}`);
  const now = Math.floor(Date.now() / 1000);
  const lines = Array.from({ length: 1800 }, (_, at) => ["a", "b", "c"].map((host, number) => `cpu,host=${host} usage=${20 + number * 15 + 12 * Math.sin(at / 90 + number)} ${(now - at) * 1_000_000_000}`)).flat();
  lines.push(`deploys text="version 1" ${(now - 900) * 1_000_000_000}`, `deploys text="version 2" ${(now - 300) * 1_000_000_000}`);
  await server.write(database, lines.join("\n"));
}

async function save(server, dashboard) {
  const answer = await fetch(`${server.url}/api/dashboards/db`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ dashboard }) });
  equal(answer.status, 200, "the dashboard is kept");
  return (await answer.json()).uid;
}

const ready = (page, count) =>
  eventually(`${count} panels are drawn`, async () => {
    const states = await page.locator("section.panel").evaluateAll((panels) => panels.map((panel) => panel.dataset.state));
    return states.length === count && states.every((state) => state === "ready");
  });

test("a dashboard is made by hand, kept, and the same for whoever has its link", async ({ page, server, session, shots }) => {
  await prepared(server);
  await page.goto(`${server.url}/#dashboards`);
  await eventually("databases are listed", async () => (await byId(page, "dashboards-database").locator("option").allTextContents()).includes("house"));
  await byId(page, "dashboards-name").fill("The house");
  await byId(page, "dashboards-database").selectOption("house");
  await byId(page, "dashboards-create").click();
  await eventually("it is empty", () => byId(page, "saved-empty").isVisible());
  for (const style of STYLES) {
    await byId(page, "saved-add").click();
    const dialog = byId(page, "panel-dialog");
    await dialog.locator('[name="title"]').fill(`As ${style}`);
    await byId(page, "panel-style").selectOption(style);
    await byId(page, "panel-unit").selectOption("percent");
    await byId(page, "panel-query").fill(QUERY);
    await dialog.locator('[name="thresholds"]').fill("40 warn, 60 bad");
    if (style === "gauge") await dialog.locator('[name="ceiling"]').fill("100");
    await byId(page, "panel-keep").click();
  }
  await ready(page, STYLES.length);
  await byId(page, "saved-save").click();
  await eventually("it says so", async () => (await byId(page, "saved-said").innerText()) === "Saved");
  await page.getByRole("button", { name: "15m" }).or(byId(page, "preset-15m")).first().click();
  await eventually("the address has the range", () => page.url().includes("range=15m"));
  await shots("dashboard");
  const other = await session.newPage();
  await other.goto(page.url());
  await ready(other, STYLES.length);
  const titles = await other.locator("section.panel h2").allInnerTexts();
  equal(titles, STYLES.map((style) => `As ${style}`), "panels");
  const figures = await other.locator('section.panel:has-text("As stat") .figure').allInnerTexts();
  check(figures.length === 3 && figures.every((figure) => /\d/.test(figure)), `figures: ${figures}`);
  equal(await other.locator("table.values tbody tr").count(), 3, "rows of the table");
  const heat = await other.locator("canvas.heat").evaluate((canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.filter((byte, at) => at % 4 === 3 && byte > 0).length);
  check(heat > 2000, `${heat} pixels of heat`);
  // Whoever saves on top of another's change is told.
  await other.getByRole("button", { name: "Remove As line" }).click();
  await byId(other, "saved-save").click();
  await eventually("the other is kept", async () => (await byId(other, "saved-said").innerText()) === "Saved");
  await page.getByRole("button", { name: "Remove As bars" }).click();
  await byId(page, "saved-save").click();
  await eventually("the conflict is told", async () => (await byId(page, "saved-said").innerText()).includes("changed by someone else"));
  await other.close();
}, { allow: /412/ });

test("a dashboard of Grafana's is imported, and what was left out is listed", async ({ page, server, shots }) => {
  await prepared(server);
  const target = (query) => [{ refId: "A", rawQuery: true, query }];
  const dashboard = {
    title: "From Grafana", uid: "elsewhere", id: 7, version: 3, time: { from: "now-30m", to: "now" },
    panels: [
      { id: 1, type: "timeseries", title: "Usage", targets: target(QUERY), fieldConfig: { defaults: { unit: "percent" } } },
      { id: 2, type: "stat", title: "Now", targets: target('SELECT last("usage") FROM "cpu" WHERE $timeFilter GROUP BY "host"') },
      { id: 3, type: "text", title: "Read me" },
    ],
  };
  await page.goto(`${server.url}/#dashboards`);
  await eventually("databases are listed", async () => (await byId(page, "dashboards-database").locator("option").allTextContents()).includes("house"));
  await byId(page, "dashboards-database").selectOption("house");
  await byId(page, "dashboards-file").setInputFiles({ name: "grafana.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(dashboard)) });
  await eventually("the report is shown", () => byId(page, "dashboards-report").isVisible());
  const report = await byId(page, "dashboards-report").innerText();
  check(/2 of 3 panels/.test(report) && report.includes("“Read me”: there is no panel of type text here"), report);
  await shots("import");
  await byId(page, "dashboards-report").getByText("Open it").click();
  await ready(page, 2);
  check(!page.url().includes("elsewhere"), "it has a uid of this server");
  await byId(page, "dashboards-list").isHidden();
  await page.goto(`${server.url}/#dashboards`);
  await byId(page, "dashboards-file").setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from("{}") });
  await eventually("what is no dashboard is refused", async () => (await byId(page, "dashboards-error").innerText()).includes("it has no panels"));
});

test("a press on a line leads to the points behind it and to their block", async ({ page, server, shots }) => {
  await prepared(server);
  await server.flush();
  const panel = { type: "timeseries", title: "Usage", targets: [{ refId: "A", rawQuery: true, query: QUERY }] };
  await save(server, { uid: "why-own", title: "Why", time: { from: "now-30m", to: "now" }, panels: [panel], isopoint: { database: "house" } });
  await page.goto(`${server.url}/#machine?range=15m`);
  await eventually("the chart is drawn", async () => (await byId(page, "panel-cpu").getAttribute("data-exact")) === "true");
  const plot = byId(page, "panel-cpu").locator(".u-over");
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
  await page.mouse.down();
  await page.mouse.up();
  const why = byId(page, "panel-cpu").locator('[data-testid="why"]');
  await eventually("the points are listed", () => why.isVisible());
  const count = Number(await why.getAttribute("data-count"));
  check(count >= 1, `${count} points`);
  equal(await why.locator("tbody tr").count(), Math.min(count, 200), "rows");
  check(/\.blk/.test(await why.innerText()), "the block file is named");
  await shots("why");
  await why.getByRole("button", { name: "Close" }).click();
  check(await why.isHidden(), "it closes");
  // By keyboard: the cursor, then Enter.
  await byId(page, "panel-cpu").locator(".plot").focus();
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Enter");
  await eventually("the keyboard reaches it too", () => why.isVisible());
  await page.goto(`${server.url}/#d/why-own`);
  await ready(page, 1);
  await byId(page, "panel-p1").locator(".u-over").click();
  await eventually("a query of its own says so", async () => (await byId(page, "why").first().innerText()).includes("query of its own"));
});

test("a chart says while it is coarse, and when it is exact", async ({ page, server }) => {
  await page.goto(`${server.url}/#machine?range=15m`);
  const panel = byId(page, "panel-cpu");
  await eventually("it is exact", async () => (await panel.getAttribute("data-exact")) === "true");
  await panel.evaluate((element) => {
    window.seen = [];
    new MutationObserver(() => window.seen.push([element.dataset.exact, element.querySelector(".exactness").textContent])).observe(element, { attributes: true, attributeFilter: ["data-exact"] });
  });
  await panel.locator(".plot").focus();
  await page.keyboard.press("+");
  await eventually("coarse, then exact", () => page.evaluate(() => {
    const words = window.seen.map(([exact, word]) => `${exact} ${word}`);
    return words.includes("false coarse") && words.at(-1).startsWith("true");
  }));
  await panel.getByRole("button", { name: "Statistics" }).click();
  check(/min .* max .* mean /.test(await panel.locator(".legend").innerText()), "the legend has statistics");
});

test("times are those of the zone that the link says, and moments are marked", async ({ page, server, shots }) => {
  await prepared(server, "zones");
  const panel = { type: "timeseries", title: "Usage", targets: [{ refId: "A", rawQuery: true, query: QUERY }] };
  await save(server, { uid: "zones", title: "Zones", timezone: "utc", time: { from: "now-30m", to: "now" }, panels: [panel], isopoint: { database: "zones", annotations: { measurement: "deploys", field: "text" } } });
  await page.goto(`${server.url}/#d/zones`);
  await ready(page, 1);
  const shown = () => byId(page, "range").innerText();
  const hour = async () => Number(/ (\d\d):/.exec(await shown())[1]);
  const utc = await hour();
  await byId(page, "zone").selectOption("Asia/Tokyo");
  await eventually("Tokyo is nine hours ahead", async () => (await hour()) === (utc + 9) % 24);
  check(page.url().includes("tz=Asia/Tokyo"), page.url());
  await page.reload();
  await ready(page, 1);
  equal(await hour(), (utc + 9) % 24, "the link keeps the zone");
  await eventually("two moments are marked", async () => (await page.locator("[data-marks]").getAttribute("data-marks")) === "2");
  await byId(page, "marks").locator("summary").click();
  check((await byId(page, "marks").innerText()).includes("version 2"), "their texts are listed");
  await shots("zones");
});

test("a file dropped on the page is explored there, and sent nowhere", async ({ page, server, shots }) => {
  await page.goto(`${server.url}/#query`);
  await eventually("the engine is there", async () => (await byId(page, "badge").getAttribute("data-state")) === "ready");
  const sent = [];
  page.on("request", (request) => request.method() !== "GET" && sent.push(`${request.method()} ${request.url()}`));
  const csv = ["time,sensor,celsius,note", ...Array.from({ length: 3000 }, (_, at) => `${new Date(1_760_000_000_000 + at * 60_000).toISOString()},${["attic", "cellar"][at % 2]},${(10 + Math.sin(at / 100)).toFixed(2)},"n, ${at}"`)].join("\n");
  await page.evaluate((csv) => {
    const data = new DataTransfer();
    data.items.add(new File([csv], "rooms.csv", { type: "text/csv" }));
    for (const type of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  }, csv);
  await eventually("it is there", async () => /rooms\.csv is in this page: 3,000 points/.test(await byId(page, "drop").innerText()));
  await eventually("it is drawn", () => byId(page, "query-chart").isVisible());
  check(/attic[\s\S]*cellar/.test(await byId(page, "query-result").innerText()), "both sensors are listed");
  await shots("drop");
  equal(sent, [], "requests that could carry the file");
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["room,sensor=x celsius=20.5 1760000000000000000\nroom,sensor=x celsius=21 1760000060000000000"], "room.lp"));
    data.items.add(new File(["no points in here"], "letter.txt"));
    for (const type of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await eventually("a letter is refused", async () => /letter\.txt was not read/.test(await byId(page, "drop").innerText()));
  equal(await byId(page, "query-database").inputValue(), "files", "the database");
  // By hand, and Parquet as this program writes it.
  const other = await Server.start("--no-self-metrics");
  const folder = await mkdtemp(join(tmpdir(), "isopoint-drop-"));
  try {
    await other.query("CREATE DATABASE p");
    await other.write("p", Array.from({ length: 500 }, (_, at) => `flow,pipe=p${at % 2} litres=${at / 4} ${(1_760_000_000 + at) * 1_000_000_000}`).join("\n"));
    const file = join(folder, "flow.parquet");
    await other.command("export", "--database", "p", "--measurement", "flow", "--format", "parquet", "--output", file);
    await byId(page, "drop-file").setInputFiles(file);
    await eventually("Parquet is read", async () => /flow\.parquet is in this page: 500 points/.test(await byId(page, "drop").innerText()));
    await eventually("and drawn", async () => /pipe=p0[\s\S]*pipe=p1/.test(await byId(page, "query-result").innerText()));
  } finally {
    await other.end();
    await rm(folder, { recursive: true, force: true });
  }
});

test("the server confirms an answer of the page by its hash", async ({ page, server, shots }) => {
  await prepared(server);
  const text = 'SELECT mean("usage") FROM "cpu" WHERE time > now() - 10m GROUP BY time(1m), "host"';
  await page.goto(`${server.url}/#query?${new URLSearchParams({ db: "house", q: text })}`);
  await eventually("it is answered", () => byId(page, "query-verify").isVisible());
  await byId(page, "query-verify").click();
  await eventually("the hash is shown", async () => /^✓ Same [\d,.]+\s(B|KiB): sha-256=[0-9a-f]{64} here and at the server$/.test(await byId(page, "query-hash").innerText()));
  await shots("verify");
});
