// Speed and size of the page's module, in Node. One line a figure: name, tab, figure.
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { Engine } from "../../wasm/npm/dist/node.js";

const say = (name, figure) => console.log(`${name}\t${figure}`);

const began = performance.now();
const engine = await Engine.open();
say("wasm: open the engine in Node", `${(performance.now() - began).toFixed(0)} ms`);

const [hosts, steps, start] = [100, 10_000, 1_451_606_400];
let seed = 7;
const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
const state = Array.from({ length: hosts }, () => [50, 50]);
for (let from = 0; from < steps; from += 100) {
  const lines = [];
  for (let step = from; step < from + 100; step += 1) {
    for (let host = 0; host < hosts; host += 1) {
      const values = state[host].map((value) => Math.min(100, Math.max(0, value + random() * 2 - 1)));
      state[host] = values;
      lines.push(`cpu,host=host_${host} usage=${values[0].toFixed(2)},system=${values[1].toFixed(2)} ${start + step}000000000`);
    }
  }
  await engine.write(lines.join("\n"), { database: "bench" });
}

const values = hosts * steps * 2;
for (const name of ["mean", "min", "max", "count"]) {
  const text = `SELECT ${name}(usage), ${name}(system) FROM cpu GROUP BY time(1m), host`;
  let best = Infinity;
  for (let round = 0; round < 7; round += 1) {
    const { stats } = await engine.query(text, { database: "bench", now: (start + steps) * 1000 });
    best = Math.min(best, stats.millis);
  }
  say(`wasm: ${name} by minute, 1-s data, columns in memory`, `${(values / best / 1000).toFixed(0)} M values/s`);
}

engine.close();

for (const name of ["reader", "full"]) {
  const module = readFileSync(new URL(`../../wasm/npm/pkg/${name}/isopoint_bg.wasm`, import.meta.url));
  say(`wasm: module ${name}, raw`, `${module.length} bytes`);
  say(`wasm: module ${name}, gzip -9`, `${gzipSync(module, { level: 9 }).length} bytes`);
  say(`wasm: module ${name}, brotli`, `${brotliCompressSync(module).length} bytes`);
}
