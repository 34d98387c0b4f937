// Answers requests with the npm package. One JSON document a line, in and out; bodies are Base64.
//
//   node wasm-node.mjs path/to/dist/node.js
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Engine } = await import(pathToFileURL(process.argv[2]).href);
let engine = await Engine.open();

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}

async function answer(message) {
  try {
    if (message === "empty") {
      engine.close();
      engine = await Engine.open();
      return {};
    }
    const { now, ...request } = message;
    const { status, headers, body } = await engine.exchange({ ...request, body: Buffer.from(request.body, "base64") }, { now });
    return { status, headers, body: Buffer.from(body).toString("base64") };
  } catch (error) {
    return { error: `${error.code}: ${error.message}` };
  }
}
