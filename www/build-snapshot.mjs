// `dist/snapshot.html`: dashboard and engine in one file, without data. `isopoint snapshot` and the page's button put the
// data in the place of `<!--data-->`.
import { readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const common = { bundle: true, minify: true, write: false, target: "es2022", logLevel: "warning", legalComments: "none" };
const one = async (options) => (await build({ ...common, ...options })).outputFiles[0].text;

const script = await one({ entryPoints: ["src/snapshot-page.ts"], format: "iife", alias: { isopoint: "isopoint/inline-reader" } });
const style = await one({ entryPoints: ["style.css"] });
const template = await readFile("snapshot.html", "utf8");
const parts = { "/*style*/": style, "/*script*/": script };
const page = template.replace(/\/\*(?:style|script)\*\//g, (part) => parts[part].trim());
await writeFile("dist/snapshot.html", page);
console.log(`dist/snapshot.html ${page.length} bytes`);
