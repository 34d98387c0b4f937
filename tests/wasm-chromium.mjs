// Answers requests with the npm package in a page of Chromium, in its Worker: the protocol of wasm-node.mjs.
//
//   node wasm-chromium.mjs path/to/dist/node.js
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { launch, serveFolder } from "./e2e/harness.mjs";

const files = await serveFolder(join(dirname(process.argv[2]), ".."), { "/index.html": "<!doctype html><title>engine</title>" });
const browser = await launch();
const page = await browser.newPage();
await page.goto(files.url);
await page.evaluate(async () => {
  const { Engine } = await import("/dist/index.js");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  let engine = await Engine.open();
  globalThis.answer = async (message) => {
    try {
      if (message === "empty") {
        engine.close();
        engine = await Engine.open();
        return {};
      }
      const { now, ...request } = message;
      const { status, headers, body } = await engine.exchange({ ...request, body: bytes(request.body) }, { now });
      return { status, headers, body: text(body) };
    } catch (error) {
      return { error: `${error.code}: ${error.message}` };
    }
  };
});

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await page.evaluate((message) => globalThis.answer(message), JSON.parse(line));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
process.exit(0);
