// What a person does with the dashboard.
import { Server, check, equal, eventually, test } from "./harness.mjs";

const byId = (page, id) => page.locator(`[data-testid="${id}"]`);
const stateOf = (page, id) => byId(page, id).getAttribute("data-state");

/** The first page, drawn, its range held by the page. */
async function openMachine(page, server) {
  await page.goto(`${server.url}/#machine`);
  await eventually("the board is ready", async () => (await stateOf(page, "board-machine")) === "ready");
  for (const panel of ["panel-cpu", "panel-memory"]) {
    await eventually(`${panel} is drawn`, async () => (await stateOf(page, panel)) === "ready");
    await eventually(`${panel} holds its range`, async () => (await byId(page, panel).getAttribute("data-prefetched")) === "true");
  }
}

/** How many pixels of a panel's canvases are drawn on. */
function pixels(page, panel) {
  return byId(page, panel).locator("canvas").evaluateAll((canvases) =>
    canvases.reduce((sum, canvas) => {
      if (canvas.width === 0 || canvas.height === 0) return sum;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let drawn = 0;
      for (let at = 3; at < data.length; at += 4) drawn += data[at] > 0 ? 1 : 0;
      return sum + drawn;
    }, 0),
  );
}

/** How many colours a screenshot has, and the part of it that is not the commonest. */
async function colours(page) {
  const png = (await page.screenshot()).toString("base64");
  return page.evaluate(async (png) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const counts = new Map();
    for (const colour of new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer)) counts.set(colour, (counts.get(colour) ?? 0) + 1);
    const background = Math.max(...counts.values());
    return { colours: counts.size, foreground: 1 - background / (image.width * image.height) };
  }, png);
}

const shownSpan = async (page) => {
  const board = byId(page, "board-machine");
  return Number(await board.getAttribute("data-to")) - Number(await board.getAttribute("data-from"));
};

test("the dashboard draws this machine", async ({ page, server }) => {
  const began = Date.now();
  await openMachine(page, server);
  console.log(`       first charts after ${Date.now() - began} ms`);
  for (const panel of ["panel-cpu", "panel-memory", "panel-load"]) {
    const drawn = await eventually(`${panel} has lines`, async () => (await pixels(page, panel)) > 500);
    check(drawn, `${panel} is blank`);
  }
  const { colours: count, foreground } = await colours(page);
  check(count > 50 && foreground > 0.02, `the screenshot has ${count} colours, ${foreground} of it is foreground`);
  equal(await stateOf(page, "badge"), "live", "the badge");
  check(/page/i.test(await byId(page, "stats-cpu").innerText()), "the panel says where it was computed");
});

test("zooming asks the network for nothing", zoomInSilence);

test("zooming into block files asks the network for nothing once they are held", async (context) => {
  await context.server.flush();
  const blocks = [];
  context.page.on("request", (request) => request.url().includes("/sync/file/") && blocks.push(request.url()));
  await zoomInSilence(context);
  check(blocks.length > 0, "the points came in block files");
});

async function zoomInSilence({ page, server }) {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await openMachine(page, server);
  check(asked.some((url) => url.includes("/sync/")), "the engine's own requests are seen here at all");
  const before = await shownSpan(page);
  // The first fetches of other panels may still be on their way.
  await page.waitForTimeout(1_000);
  const count = asked.length;
  const plot = byId(page, "panel-cpu").locator(".plot");
  await plot.focus();
  for (let press = 0; press < 4; press += 1) await page.keyboard.press("+");
  await eventually("the range is narrower", async () => (await shownSpan(page)) < before / 2);
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.press("ArrowLeft");
  await page.waitForTimeout(500);
  check((await shownSpan(page)) < before / 4, "dragging zooms on");
  equal(asked.slice(count), [], "requests while zooming");
  equal(await stateOf(page, "panel-cpu"), "ready", "the zoomed panel");
  check((await pixels(page, "panel-cpu")) > 500, "the zoomed chart is blank");
  await page.keyboard.press("Escape");
  await eventually("Escape resets", async () => (await shownSpan(page)) > before * 0.9);
}

test("charts survive the server's death, and follow it when it is back", async ({ page, errors }) => {
  const server = await Server.start();
  try {
    await server.remember();
    await openMachine(page, server);
    await eventually("the badge is live", async () => (await stateOf(page, "badge")) === "live");
    await server.kill();
    await eventually("the badge says so", async () => (await stateOf(page, "badge")) === "offline");
    const before = await shownSpan(page);
    await byId(page, "panel-cpu").locator(".plot").focus();
    for (let press = 0; press < 3; press += 1) await page.keyboard.press("+");
    await eventually("zooming goes on", async () => (await shownSpan(page)) < before / 2);
    await eventually("the chart answers", async () => (await stateOf(page, "panel-cpu")) === "ready" && (await pixels(page, "panel-cpu")) > 200);
    await page.keyboard.press("Escape");
    await server.restart();
    await eventually("the badge is live again", async () => (await stateOf(page, "badge")) === "live");
    const board = byId(page, "board-machine");
    const to = Number(await board.getAttribute("data-to"));
    await eventually("the chart moves on", async () => Number(await board.getAttribute("data-to")) > to + 1_000);
    // Chromium itself logs each refused connection.
    for (let at = errors.length - 1; at >= 0; at -= 1) if (/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|ERR_NETWORK/.test(errors[at])) errors.splice(at, 1);
  } finally {
    await server.end();
  }
});

test("a database that is not there is explained", async ({ page }) => {
  const server = await Server.start("--no-self-metrics");
  try {
    await page.goto(`${server.url}/#machine`);
    await eventually("the card is shown", () => byId(page, "absent").isVisible());
    check((await byId(page, "absent").innerText()).includes("--no-self-metrics"), "it says why");
  } finally {
    await server.end();
  }
});

test("a module that does not load is explained", async ({ page, server, errors }) => {
  await page.route("**/*.wasm", (route) => route.abort());
  await page.goto(`${server.url}/#machine`);
  await eventually("the card is shown", () => byId(page, "failed").isVisible());
  errors.splice(0);
});

test("the keyboard reaches the query box and runs a query", async ({ page, server }) => {
  await page.goto(`${server.url}/#machine`);
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid") ?? document.activeElement?.textContent);
  const tabTo = async (wanted) => {
    for (let press = 0; press < 60; press += 1) {
      await page.keyboard.press("Tab");
      if ((await focused()) === wanted) return;
    }
    throw new Error(`Tab never reaches ${wanted}`);
  };
  await tabTo("Query");
  await page.keyboard.press("Enter");
  await eventually("the page is shown", () => byId(page, "board-query").isVisible());
  await eventually("the databases are listed", async () => (await byId(page, "query-database").locator("option").allTextContents()).includes("notes"));
  await byId(page, "query-database").selectOption("notes");
  await tabTo("query-box").catch(async () => {
    // The box lies before the list.
    for (let press = 0; press < 20 && (await focused()) !== "query-box"; press += 1) await page.keyboard.press("Shift+Tab");
    equal(await focused(), "query-box", "focus");
  });
  const type = async (text) => {
    await page.keyboard.press("Control+A");
    await page.keyboard.type(text);
    await page.keyboard.press("Control+Enter");
  };
  await type("SELECT mean(value), sum(count) FROM m GROUP BY kind");
  await eventually("the answer is listed", async () => /kind=a[\s\S]*kind=b/.test(await byId(page, "query-result").innerText()));
  check(/2\.5/.test(await byId(page, "query-result").innerText()), "the mean is there");
  await type("SELECT mean(value) FRM m");
  await eventually("the error is shown", () => byId(page, "query-error").isVisible());
  check((await byId(page, "query-error").innerText()).includes("error parsing query: found FRM, expected FROM at line 1, char 20"), "in InfluxDB's words");
  await type("SELECT nothing FROM m");
  await eventually("an empty answer says so", () => byId(page, "query-empty").isVisible());
});

test("it fits a phone and a dark room", async ({ page, server }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 844 });
  await openMachine(page, server);
  const { content, width } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, width: innerWidth }));
  check(content <= width, `${content} pixels on a screen of ${width}`);
  check((await pixels(page, "panel-cpu")) > 300, "the chart is blank");
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).every((part) => Number(part) < 80));
  check(dark, "the background is not dark");
});
