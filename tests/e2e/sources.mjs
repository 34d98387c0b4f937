// The page of data sources: listed, added, edited, tested, explored as chart and table, deleted.
import { check, equal, eventually, test } from "./harness.mjs";

const byId = (page, id) => page.locator(`[data-testid="${id}"]`);
const FROM = 1_700_000_000;

async function prepared(server) {
  await server.query("CREATE DATABASE cellar");
  const lines = ["a", "b"].flatMap((host, number) => [10, 20, 30].map((value, at) => `cpu,host=${host} usage=${value + number} ${(FROM + at * 60) * 1_000_000_000}`));
  await server.write("cellar", [...lines, "other x=1 1"].join("\n"));
}

const record = async (server, name) => (await fetch(`${server.url}/api/datasources/name/${encodeURIComponent(name)}`)).json();

async function add(page, { name, type, url, database }) {
  await byId(page, "source-add").click();
  const form = byId(page, "source-form");
  await form.locator('[name="name"]').fill(name);
  await form.locator('[name="type"]').selectOption(type);
  await form.locator('[name="url"]').fill(url);
  if (database) await form.locator('[name="database"]').fill(database);
  await byId(page, "source-save").click();
}

async function says(page, wanted) {
  await eventually(`the page says ${wanted}`, async () => wanted.test(await byId(page, "sources-said").innerText()));
}

test(
  "data sources are added, edited, tested, explored and deleted",
  async ({ page, server, shots }) => {
    await prepared(server);
    page.on("dialog", (dialog) => void dialog.accept());
    await page.goto(`${server.url}/#sources`);
    await eventually("the page is there", () => byId(page, "source-add").isVisible());
    const row = (name) => byId(page, "sources").locator("tbody tr").filter({ hasText: name });

    // Each change is told once the list shows it.
    await add(page, { name: "Cellar", type: "influxdb", url: "local://", database: "cellar" });
    await eventually("it is listed", async () => (await row("Cellar").count()) === 1);
    equal((await row("Cellar").locator("td").allInnerTexts()).slice(1, 3), ["influxdb", "local://"], "its row");
    await add(page, { name: "Away", type: "prometheus", url: "http://127.0.0.1:1" });
    await eventually("it is listed", async () => (await row("Away").count()) === 1);
    const made = await record(server, "Cellar");
    equal([made.type, made.access, made.jsonData.dbName, made.version], ["influxdb", "proxy", "cellar", 1], "what was stored");

    await row("Cellar").locator('[data-testid="source-test"]').click();
    await says(page, /^Cellar: datasource is working\. 2 measurements found$/);
    await row("Away").locator('[data-testid="source-test"]').click();
    await says(page, /^Away: .*refused/i);

    await row("Cellar").locator('[data-testid="source-edit"]').click();
    const form = byId(page, "source-form");
    await eventually("the form has the record", async () => (await form.locator('[name="database"]').inputValue()) === "cellar");
    await form.locator('[name="name"]').fill("Cellar, renamed");
    await form.locator('[name="password"]').fill("hidden");
    await byId(page, "source-save").click();
    await eventually("it is listed anew", async () => (await row("Cellar, renamed").count()) === 1);
    const changed = await record(server, "Cellar, renamed");
    equal([changed.uid, changed.version, changed.jsonData.dbName, changed.secureJsonFields], [made.uid, 2, "cellar", { password: true }], "what was changed");

    await row("Cellar, renamed").locator('[data-testid="source-explore"]').click();
    const ask = async (text) => {
      await byId(page, "source-query").fill(text);
      await byId(page, "source-run").click();
    };
    const colour = await byId(page, "source-query").evaluate((area) => getComputedStyle(area).color);
    check(!/, 0\)$/.test(colour), `what is typed can be seen: ${colour}`);
    const times = page.locator("form.query .toolbar input");
    await times.nth(0).fill(String(FROM * 1000));
    await times.nth(1).fill(String((FROM + 180) * 1000));
    await ask("SELECT usage FROM cpu WHERE $timeFilter GROUP BY host");
    await says(page, /^2 frames$/);
    const result = byId(page, "source-result");
    check(await byId(page, "source-chart").locator("canvas").first().isVisible(), "the frames are drawn");
    const tables = result.locator(".table table");
    equal(await tables.count(), 2, "a table a frame");
    for (const [at, values] of [["10", "20", "30"], ["11", "21", "31"]].entries()) {
      equal(await tables.nth(at).locator("tbody td.number").allInnerTexts(), values, `the rows of frame ${at}`);
      equal(await tables.nth(at).locator("tbody td.time").count(), 3, "a time a row");
    }
    await shots("sources");
    await ask("SELECT usage FRM cpu");
    await says(page, /error parsing query/);
    equal(await tables.count(), 0, "nothing of the query before is left");

    for (const name of ["Cellar, renamed", "Away"]) {
      await row(name).locator('[data-testid="source-delete"]').click();
      await eventually(`${name} is gone`, async () => (await row(name).count()) === 0);
      await says(page, new RegExp(`^${name} is deleted\\.$`));
    }
    equal((await record(server, "Away")).message, "Data source not found", "the server has it no more");
  },
  { allow: /status of 40[04]/ },
);
