// The programs of www/examples as they stand there, with the package installed from its tarball.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import * as esbuild from "esbuild";
import { build } from "vite";
import webpack from "webpack";
import { ROOT, launch, serveFolder } from "../../../tests/e2e/harness.mjs";
import { install } from "./install.mjs";

const run = promisify(execFile);
const EXAMPLES = join(ROOT, "www/examples");

let folder;
let browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "isopoint-examples-"));
  await install(folder);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A copy of an example beside the installed package. */
async function example(name) {
  const root = join(folder, name);
  await cp(join(EXAMPLES, name), root, { recursive: true });
  return root;
}

/** Opens a folder's page; gives what it says at its end, and the Workers it had. */
async function shown(root, query = "") {
  const files = await serveFolder(root);
  const page = await browser.newPage();
  const workers = [];
  const errors = [];
  page.on("worker", (worker) => workers.push(worker.url()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !message.text().includes("favicon") && errors.push(message.text()));
  try {
    await page.goto(`${files.url}/${query}`);
    const ended = page.waitForFunction(() => document.title.startsWith("mean"), null, { timeout: 60_000 });
    await ended.catch((error) => assert.fail(`${error.message}; ${errors.join("; ")}`));
    return { title: await page.title(), workers };
  } finally {
    await page.close();
    files.close();
  }
}

test("a plain module script with an import map", async () => {
  const root = await example("script");
  await symlink(join(folder, "node_modules"), join(root, "node_modules"));
  const { title, workers } = await shown(root);
  assert.equal(title, "mean 20.5");
  assert.equal(workers.length, 1, "the engine runs in a Worker");
});

test("an import from another origin", async () => {
  const elsewhere = await serveFolder(join(folder, "node_modules"), {}, { "access-control-allow-origin": "*" });
  try {
    const { title, workers } = await shown(await example("url"), `?from=${elsewhere.url}`);
    assert.equal(title, "mean 20.5");
    assert.equal(workers.length, 1, "the engine runs in a Worker all the same");
  } finally {
    elsewhere.close();
  }
});

test("an app built by Vite", async () => {
  const root = await example("vite");
  await build({ root, configFile: false, logLevel: "error", build: { target: "es2022" } });
  const { title, workers } = await shown(join(root, "dist"));
  assert.equal(title, "mean 20.5");
  assert.equal(workers.length, 1, "the engine runs in a Worker");
});

test("an app built by webpack", async () => {
  const root = await example("webpack");
  const config = { context: root, mode: "production", entry: "./main.js", output: { path: join(root, "dist"), filename: "main.js" }, performance: false };
  const stats = await promisify(webpack)(config);
  assert.equal(stats.hasErrors(), false, stats.toString("errors-only"));
  await cp(join(root, "index.html"), join(root, "dist/index.html"));
  const { title, workers } = await shown(join(root, "dist"));
  assert.equal(title, "mean 20.5");
  assert.equal(workers.length, 1, "the engine runs in a Worker");
});

test("an app built by esbuild", async () => {
  const root = await example("esbuild");
  await esbuild.build({ absWorkingDir: root, entryPoints: ["main.js"], bundle: true, format: "esm", outdir: "dist", logLevel: "error" });
  await cp(join(root, "index.html"), join(root, "dist/index.html"));
  const { title, workers } = await shown(join(root, "dist"));
  assert.equal(title, "mean 20.5");
  assert.equal(workers.length, 1, "the engine runs in a Worker");
});

test("in a Worker of the page's own", async () => {
  const root = await example("worker");
  await build({ root, configFile: false, logLevel: "error", worker: { format: "es" } });
  const { title, workers } = await shown(join(root, "dist"));
  assert.equal(title, "mean 20.5");
  assert.equal(workers.length, 1, "and in no other");
});

test("Node, as ES module and as CommonJS", async () => {
  const root = await example("node");
  for (const file of ["main.mjs", "main.cjs"]) {
    const { stdout } = await run(process.execPath, [file], { cwd: root });
    assert.equal(stdout, "mean 20.5\n", file);
  }
});

test("TypeScript knows every type, in both kinds of module", async () => {
  const use = `
    async function run(signal: AbortSignal) {
      const engine: Engine = await Engine.open({ persistence: "memory", signal });
      const result: QueryResult = await engine.query("SELECT v FROM m", { database: "d", onProgress: ({ bytesFetched }) => console.log(bytesFetched) });
      const values: Float64Array | BigInt64Array | BigUint64Array | Uint8Array | string[] | undefined = result.series()[0]?.columns[0]?.values;
      for await (const next of engine.live("SELECT v FROM m", { database: "d", signal })) console.log(next.stats.millis, values);
      const [series] = await engine.datadog("avg:m{*}", 0, 1);
      const times: Float64Array | undefined = series?.times;
      // @ts-expect-error: there is no such code
      try { await engine.write("m v=1", { database: "d" }); } catch (error) { if (error instanceof IsopointError && error.code === "nonsense") console.log(times); }
    }
    void run;
  `;
  const modules = 'import { Engine, IsopointError, type QueryResult } from "isopoint";';
  await writeFile(join(folder, "bundled.ts"), modules + use);
  await writeFile(join(folder, "required.cts"), modules.replace("import {", "import isopoint = require(\"isopoint\");\nimport {") + use.replace("void run", "void isopoint.Engine; void run"));
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const strict = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable,dom.asynciterable"];
  const check = (...args) => run(tsc, [...strict, ...args], { cwd: folder }).catch(({ stdout }) => assert.fail(stdout));
  await check("--module", "es2022", "--moduleResolution", "bundler", "bundled.ts");
  await check("--module", "node16", "--moduleResolution", "node16", "bundled.ts", "required.cts");
});
