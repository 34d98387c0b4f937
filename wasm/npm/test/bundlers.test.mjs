// The package in an app that Vite or esbuild has built, run in Chromium.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as esbuild from "esbuild";
import { build } from "vite";
import { launch, serveFolder } from "../../../tests/e2e/harness.mjs";
import { install } from "./install.mjs";

/** Stores two points, asks for their mean, and says which thread answered. */
const USE = `
  const engine = await Engine.open(options);
  const create = { method: "POST", url: "/query", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "q=CREATE+DATABASE+d" };
  await engine.exchange(create);
  await engine.write("m v=1 1\\nm v=4 2", { database: "d" });
  const result = await engine.query("SELECT mean(v) FROM m", { database: "d" });
  engine.close();
  return result.series()[0].columns[0].values[0];
`;
const SHOW = 'run().then((mean) => (document.title = `mean ${mean}`), (error) => (document.title = `failed ${error.stack ?? error}`));\n';
const PAGE = '<!doctype html><title>waiting</title><script type="module" src="./main.js"></script>';

let folder;
let browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "isopoint-bundle-"));
  await install(folder);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The title that the app below `dist` sets, and what it asked for. */
async function opened(dist) {
  const files = await serveFolder(dist);
  const page = await browser.newPage();
  const workers = [];
  page.on("worker", (worker) => workers.push(worker.url()));
  try {
    await page.goto(files.url);
    await page.waitForFunction(() => document.title !== "waiting");
    return { title: await page.title(), workers };
  } finally {
    await page.close();
    files.close();
  }
}

async function app(name, main) {
  const root = join(folder, name);
  await mkdir(root, { recursive: true });
  await writeFile(join(root, "main.js"), main);
  await writeFile(join(root, "index.html"), PAGE);
  return root;
}

test("an app built by Vite, without any configuration", async () => {
  const root = await app("vite", `import { Engine } from "isopoint";\nasync function run() { const options = {}; ${USE} }\n${SHOW}`);
  await build({ root, configFile: false, logLevel: "error" });
  const { title, workers } = await opened(join(root, "dist"));
  assert.equal(title, "mean 2.5");
  assert.equal(workers.length, 1, "the engine runs in a Worker");
});

test("an app built by esbuild, which is told where the Worker and the module are", async () => {
  const options = '{ wasm: new URL(wasm, import.meta.url), worker: new Worker(new URL("./worker.js", import.meta.url), { type: "module" }) }';
  const main = `import { Engine } from "isopoint";\nimport wasm from "isopoint/full.wasm";\nasync function run() { const options = ${options}; ${USE} }\n${SHOW}`;
  const root = await app("esbuild", main);
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: { main: "./main.js", worker: "isopoint/worker" },
    bundle: true,
    format: "esm",
    outdir: "dist",
    loader: { ".wasm": "file" },
    logLevel: "error",
  });
  await writeFile(join(root, "dist/index.html"), PAGE);
  const { title, workers } = await opened(join(root, "dist"));
  assert.equal(title, "mean 2.5");
  assert.equal(workers.length, 1, "the engine runs in a Worker");
});
