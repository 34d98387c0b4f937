// A snapshot: one HTML file, opened from disk without any network.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Server, check, equal, eventually, test } from "./harness.mjs";

const byId = (page, id) => page.locator(`[data-testid="${id}"]`);
const QUERY = 'SELECT mean("usage") FROM "cpu" WHERE $timeFilter GROUP BY time($__interval), "host" fill(none)';
const DASHBOARD = { uid: "snap", title: "Snapped", time: { from: "now-15m", to: "now" }, panels: [{ type: "timeseries", title: "Usage", targets: [{ refId: "A", rawQuery: true, query: QUERY }] }], isopoint: { database: "snap" } };

/** Opens a file with the network cut; the chart must be drawn, zoomable and queryable. */
async function judge(page, file, count) {
  await page.context().setOffline(true);
  const asked = [];
  page.on("request", (request) => /^https?:/.test(request.url()) && asked.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  await eventually("the chart is drawn", async () => (await page.locator("section.panel").first().getAttribute("data-state")) === "ready");
  check(/Snapshot of 20\d\d-/.test(await byId(page, "badge").innerText()), "the badge says what this is");
  const board = byId(page, "board-board");
  const width = async () => Number(await board.getAttribute("data-to")) - Number(await board.getAttribute("data-from"));
  const before = await width();
  await page.locator(".plot").first().focus();
  await page.keyboard.press("+");
  await eventually("it zooms", async () => (await width()) < before * 0.7);
  await eventually("and is exact again", async () => (await page.locator("section.panel").first().getAttribute("data-exact")) === "true");
  await page.evaluate((query) => (location.hash = `#query?${new URLSearchParams({ db: "snap", q: query })}`), 'SELECT count("usage") FROM "cpu"');
  await eventually("it is queried", async () => new RegExp(`\\b${count}\\b`).test(await byId(page, "query-result").innerText()));
  check(await byId(page, "query-verify").isHidden(), "there is no server to verify with");
  equal(asked, [], "requests");
}

async function prepared(server) {
  await server.query("CREATE DATABASE snap");
  const now = Math.floor(Date.now() / 1000);
  const lines = (from, to) => Array.from({ length: to - from }, (_, at) => `cpu,host=h${at % 3} usage=${50 + 40 * Math.sin((from + at) / 70)} ${(now - from - at) * 1_000_000_000}`).join("\n");
  await server.write("snap", lines(100, 3000));
  await server.flush();
  // Some points are in no file yet.
  await server.write("snap", lines(0, 100));
  const answer = await fetch(`${server.url}/api/dashboards/db`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ dashboard: DASHBOARD }) });
  equal(answer.status, 200, "the dashboard is kept");
}

test("`isopoint snapshot` makes a file that opens offline", async ({ page, shots }) => {
  const server = await Server.start("--no-self-metrics");
  const folder = await mkdtemp(join(tmpdir(), "isopoint-snapshot-"));
  try {
    await prepared(server);
    const file = join(folder, "snap.html");
    const said = await server.command("snapshot", "--database", "snap", "--dashboard", "snap", "--output", file);
    const [, page_] = /(\d+) of page/.exec(said);
    console.log(`       the page without data has ${page_} bytes`);
    await server.kill();
    await judge(page, file, 3000);
    await page.goBack();
    await shots("snapshot");
    // A cut file says so.
    const whole = await readFile(file, "utf8");
    const cut = join(folder, "cut.html");
    await writeFile(cut, whole.replace(/(id="snapshot">)[^<]{4000}/, "$1"));
    await page.goto(pathToFileURL(cut).href);
    await eventually("damage is told", () => byId(page, "failed").isVisible());
  } finally {
    await server.end();
    await rm(folder, { recursive: true, force: true });
  }
});

test("the page makes the same file itself", async ({ page }) => {
  const server = await Server.start("--no-self-metrics");
  const folder = await mkdtemp(join(tmpdir(), "isopoint-snapshot-"));
  try {
    await prepared(server);
    await page.goto(`${server.url}/#d/snap`);
    await eventually("the chart is drawn", async () => (await page.locator("section.panel").first().getAttribute("data-state")) === "ready");
    const [download] = await Promise.all([page.waitForEvent("download"), byId(page, "snapshot").click()]);
    const file = join(folder, "page.html");
    await download.saveAs(file);
    await server.kill();
    const other = await page.context().newPage();
    await judge(other, file, 3000);
  } finally {
    await server.end();
    await rm(folder, { recursive: true, force: true });
  }
}, { allow: /ERR_/ });
