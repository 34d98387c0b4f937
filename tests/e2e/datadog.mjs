// The query box in Datadog's language: completion from the index, the answer, the plan, what is wrong.
import { Server, check, equal, eventually, test } from "./harness.mjs";

const KEYS = { "DD-API-KEY": "a", "DD-APPLICATION-KEY": "b" };

test("the query box speaks Datadog's language", async ({ page, shots }) => {
  const server = await Server.start();
  try {
    await speaks(page, server, shots);
  } finally {
    await server.end();
  }
});

async function speaks(page, server, shots) {
  const now = Math.floor(Date.now() / 1000);
  const series = ["web1", "web2", "db1"].map((host, number) => ({
    metric: "shop.orders.open",
    points: Array.from({ length: 60 }, (_, at) => [now - 600 + at * 10, number * 10 + (at % 5)]),
    tags: [`host:${host}`, `role:${host.slice(0, -1)}`],
  }));
  const submitted = await fetch(`${server.url}/api/v1/series`, { method: "POST", headers: KEYS, body: JSON.stringify({ series }) });
  equal(submitted.status, 202, "points are taken");
  await page.goto(`${server.url}/#query`);
  const byId = (id) => page.locator(`[data-testid="${id}"]`);
  await byId("query-language").selectOption("datadog");
  check(await byId("query-window").isVisible(), "a window is asked for");
  const box = byId("query-box");
  const offers = byId("query-completion");
  const offered = async (text) => eventually(`${text} is offered`, async () => (await offers.isVisible()) && (await offers.innerText()).includes(text));
  await box.fill("");
  await box.pressSequentially("avg:shop.o");
  await offered("shop.orders.open");
  await page.keyboard.press("Tab");
  equal(await box.inputValue(), "avg:shop.orders.open", "what Tab takes");
  await box.pressSequentially("{");
  await offered("role:");
  await box.pressSequentially("role:w");
  await offered("role:web");
  await page.keyboard.press("Tab");
  await box.pressSequentially("} by {h");
  await offered("host");
  await page.keyboard.press("Tab");
  await box.pressSequentially("}");
  equal(await box.inputValue(), "avg:shop.orders.open{role:web} by {host}", "the query");
  await byId("query-window").selectOption("900");
  await page.keyboard.press("Control+Enter");
  const plan = byId("query-plan");
  await eventually("it is answered", () => plan.isVisible());
  check(/^interval 5 s, avg over 2 sources, linear fill up to 300 s/.test(await plan.innerText()), await plan.innerText());
  const answer = await byId("query-result").innerText();
  check(answer.includes("host:web1,role:web") && answer.includes("host:web2,role:web"), answer.slice(0, 400));
  check(!answer.includes("db1"), "other sources are left out");
  await shots("datadog");

  await box.fill("avg:shop.orders.opne{*}");
  await page.keyboard.press("Control+Enter");
  await eventually("near names are told", async () => (await plan.innerText()).includes("near it: shop.orders.open"));
  await box.fill("avg:shop.orders.open{role:web");
  await page.keyboard.press("Control+Enter");
  await eventually("an error is told", () => byId("query-error").isVisible());
  check((await byId("query-error").innerText()).includes("Error parsing query"), await byId("query-error").innerText());
  await eventually("and its place marked", () => byId("query-error-mark").isVisible());
}
