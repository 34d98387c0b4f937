// How soon a page shows its first chart, and what it had to fetch for it. One line a figure: name, tab, figure.
import { eventually, launch, Server } from "../e2e/harness.mjs";

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const server = await Server.start();
const browser = await launch();
try {
  await server.remember();
  const [millis, bytes] = [[], []];
  for (let round = 0; round < 5; round += 1) {
    // A context of its own: nothing is cached.
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    const network = await context.newCDPSession(page);
    await network.send("Network.enable");
    let fetched = 0;
    network.on("Network.loadingFinished", ({ encodedDataLength }) => (fetched += encodedDataLength));
    const began = performance.now();
    await page.goto(server.url);
    await page.waitForSelector('[data-testid="panel-cpu"][data-state="ready"]');
    millis.push(performance.now() - began);
    await eventually("all that was asked for has come", () => fetched > 0);
    bytes.push(fetched);
    await context.close();
  }
  console.log(`page: first chart after navigation, nothing cached (median of 5)\t${median(millis).toFixed(0)} ms`);
  console.log(`page: bytes fetched by the page for it, the worker's apart\t${median(bytes)}`);
} finally {
  await browser.close();
  await server.end();
}
