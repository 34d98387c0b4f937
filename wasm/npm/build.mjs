// What tsc does not make: the CommonJS entry for Node, and the package as one file.
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const common = { bundle: true, target: "es2022", logLevel: "warning", legalComments: "none" };

await esbuild.build({
  ...common,
  entryPoints: ["dist/node.js"],
  outfile: "dist/node.cjs",
  platform: "node",
  format: "cjs",
  define: { "import.meta.url": "__file" },
  banner: { js: 'const __file = require("node:url").pathToFileURL(__filename).href;' },
});
await copyFile("src/cjs.d.cts", "dist/node.d.cts");

/** One file with a module and the Worker in it; `reader` has the reader alone, and its glue stands for the full one's too. */
async function inline(extent, outfile) {
  const { text } = (await esbuild.build({ ...common, ...pages(extent), entryPoints: ["dist/worker.js"], write: false, format: "iife" })).outputFiles[0];
  const wasm = gzipSync(await readFile(`pkg/${extent}/isopoint_bg.wasm`), { level: 9 }).toString("base64");
  const texts = { "isopoint:worker": text, "isopoint:wasm": wasm, "isopoint:extent": extent };
  const inlined = {
    name: "inlined",
    setup(build) {
      build.onResolve({ filter: /^isopoint:/ }, ({ path }) => ({ path, namespace: "inlined" }));
      build.onLoad({ filter: /.*/, namespace: "inlined" }, ({ path }) => ({ contents: texts[path], loader: "text" }));
    },
  };
  const { plugins, ...options } = pages(extent);
  await esbuild.build({ ...common, ...options, entryPoints: ["dist/inlined.js"], outfile, format: "esm", plugins: [...plugins, inlined] });
}

function pages(extent) {
  const one = {
    name: "one-glue",
    setup(build) {
      const glue = fileURLToPath(new URL(`pkg/${extent}/isopoint.js`, import.meta.url));
      build.onResolve({ filter: /pkg\/(full|reader)\/isopoint\.js$/ }, () => ({ path: glue }));
    },
  };
  return { minify: true, define: { "import.meta.url": '"blob:"' }, plugins: [one] };
}

await inline("full", "dist/inline.js");
await inline("reader", "dist/inline-reader.js");
for (const name of ["inline", "inline-reader"]) await writeFile(`dist/${name}.d.ts`, 'export * from "./inlined.js";\n');
