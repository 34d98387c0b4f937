// Prints `size FILE RAW GZIP BROTLI` for each file given, and `import MODULE NAME` for each import of a wasm file.
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

for (const file of process.argv.slice(1)) {
  const bytes = readFileSync(file);
  console.log("size", file, bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length);
  if (!file.endsWith(".wasm")) continue;
  for (const { module, name } of WebAssembly.Module.imports(new WebAssembly.Module(bytes))) {
    console.log("import", module, name);
  }
}
