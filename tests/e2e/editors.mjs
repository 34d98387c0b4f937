// The query editors: colours, words that fit, the place of an error; and one question in four languages.
import { Server, check, equal, eventually, test } from "./harness.mjs";

const byId = (page, id) => page.locator(`[data-testid="${id}"]`);

test("the editor completes from the database's index and colours what it knows", async ({ page, server, shots }) => {
  await server.query("CREATE DATABASE words");
  await server.write("words", "thermometer,room=attic celsius=20.5,humidity=40 1000000000\nodd\\ name,room=x value=1 1000000000");
  await page.goto(`${server.url}/#query?${new URLSearchParams({ db: "words", q: "SHOW MEASUREMENTS" })}`);
  await eventually("it is answered", async () => (await byId(page, "query-result").innerText()).includes("thermometer"));
  const box = byId(page, "query-box");
  const offers = byId(page, "query-box-offers");
  await box.fill("");
  await box.pressSequentially("SELECT mean(cels");
  await eventually("the field is offered", async () => (await offers.isVisible()) && (await offers.innerText()).includes("celsius"));
  check((await offers.innerText()).includes("field"), "it says what it is");
  await page.keyboard.press("Tab");
  equal(await box.inputValue(), "SELECT mean(celsius", "what Tab takes");
  await box.pressSequentially(") FROM therm");
  await eventually("the measurement is offered", async () => (await offers.isVisible()) && (await offers.innerText()).includes("thermometer"));
  await shots("completion");
  await page.keyboard.press("Escape");
  check(await offers.isHidden(), "Escape closes");
  equal(await box.inputValue(), "SELECT mean(celsius) FROM therm", "and changes nothing");
  await box.pressSequentially("ometer WHERE odd");
  await page.keyboard.press("Control+ ");
  await eventually("a name that needs quotes gets them", async () => (await offers.innerText()).includes('"odd name"'));
  await page.keyboard.press("Escape");
  const colours = await page.locator(".query .backdrop span").evaluateAll((spans) => [...new Set(spans.map((span) => span.className))]);
  check(["token-keyword", "token-call"].every((kind) => colours.includes(kind)), `${colours}`);
  // Letters of both layers lie on top of each other, so the one in front must not be seen.
  equal(await box.evaluate((area) => getComputedStyle(area).color), "rgba(0, 0, 0, 0)", "the letters of the area");
  await box.fill("SELECT mean(celsius) FRM thermometer");
  await page.keyboard.press("Control+Enter");
  await eventually("the error is marked", () => byId(page, "query-error-mark").isVisible());
  equal(await byId(page, "query-error-mark").innerText(), "FRM", "what is underlined");
});

test("one question is answered alike in four languages", async ({ page, shots }) => {
  const server = await Server.start();
  try {
    await alike(page, server, shots);
  } finally {
    await server.end();
  }
});

async function alike(page, server, shots) {
  await server.query("CREATE DATABASE datadog");
  const now = Math.floor(Date.now() / 1000);
  await server.write("datadog", Array.from({ length: 800 }, (_, at) => `pump,host=h${at % 2} pressure=${3 + Math.sin(at / 40)} ${(now - at) * 1_000_000_000}`).join("\n"));
  await page.goto(`${server.url}/#compare`);
  const choose = async (id, value) => {
    await eventually(`${id} has ${value}`, async () => (await byId(page, id).locator("option").evaluateAll((options) => options.map((option) => option.value))).includes(value));
    await byId(page, id).selectOption(value);
  };
  await choose("compare-database", "datadog");
  await choose("compare-measurement", "pump");
  await choose("compare-field", "pressure");
  await choose("compare-tag", "host");
  await choose("compare-range", "900000");
  await byId(page, "compare-ask").click();
  for (const language of ["influxql", "datadog", "facette", "grafana"]) {
    const card = byId(page, `compare-card-${language}`);
    await eventually(`${language} answers`, async () => ["ready", "error"].includes(await card.getAttribute("data-state")));
    equal(await card.getAttribute("data-state"), "ready", `${language}: ${await card.innerText()}`);
    equal(await card.getAttribute("data-lines"), "2", `${language}: lines`);
    const points = Number(await card.getAttribute("data-points"));
    check(points > 100, `${language}: ${points} points`);
  }
  await shots("compare");
  await byId(page, "compare-datadog").fill("avg:pump.pressure{*} by host}");
  await byId(page, "compare-run-datadog").click();
  const card = byId(page, "compare-card-datadog");
  await eventually("the error is told", async () => (await card.getAttribute("data-state")) === "error");
  await eventually("and marked", () => card.locator('[data-testid="query-error-mark"]').isVisible());
}
