// Every block of code in the README, run as it stands there.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { Server } from "../../../tests/e2e/harness.mjs";
import { install } from "./install.mjs";

const run = promisify(execFile);
const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
/** By the heading above it. */
const blocks = readme.split(/^## /m).flatMap((part) => [...part.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => ({ title: part.split("\n")[0], code })));
/** What a block's comments do not say. */
const PRINTS = {
  "On its own": /^20\.25\n$/,
  "Beside a server": /^a true\nb true\npage \d+\n$/,
  Live: /^42\n$/,
  "The other APIs": /^host:a Float64Array\(2\)[^]*\[ \[ 1, 1 \], \[ 2, 3 \] \]\nFloat64Array\(2\) \[ 1, 3 \]\n2\n$/,
  "Errors, ending, progress": /^true request\n(?:\d+ of \d+\n)*$/,
  "Snapshots and proofs": /^true true\n1\n$/,
};

let folder;
let server;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "isopoint-guide-"));
  await install(folder);
  server = await Server.start("--no-self-metrics");
  await server.query("CREATE DATABASE demo");
  const now = Math.floor(Date.now() / 1000);
  const lines = Array.from({ length: 200 }, (_, at) => `cpu,host=${"ab"[at % 2]} usage=${at === 0 ? 42 : at} ${(now - at) * 1_000_000_000}`);
  await server.write("demo", lines.join("\n"));
});

after(async () => {
  await server?.end();
  await rm(folder, { recursive: true, force: true });
});

test("every block is known here", () => {
  assert.deepEqual(blocks.map(({ title }) => title), Object.keys(PRINTS));
});

for (const [number, { title, code }] of blocks.entries()) {
  test(title, async () => {
    const file = join(folder, `block-${number}.mjs`);
    await writeFile(file, code.replaceAll("http://127.0.0.1:8086", server.url));
    const { stdout } = await run(process.execPath, [file], { cwd: folder, timeout: 120_000 });
    assert.match(stdout, PRINTS[title]);
  });
}
