// Facette's graph of a year in the page's module: 3,153,600 points, one every ten seconds, of one series, as points in
// memory and as a replica of a server's files. One line a figure: name, tab, figure.
import { readFileSync } from "node:fs";
import { Server } from "../e2e/harness.mjs";
import { Engine } from "../../wasm/npm/dist/node.js";

const [POINTS, START, DAY] = [365 * 8640, 1_451_606_400, 8640];
const ROUNDS = 15;

/** Milliseconds that this thread was on a processor, where the system tells: others at work do not count. */
function cpu() {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
  } catch {
    return NaN;
  }
}

function* days() {
  let [seed, value] = [7, 50];
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  for (let from = 0; from < POINTS; from += DAY) {
    const lines = [];
    for (let row = from; row < from + DAY; row += 1) {
      value = Math.min(100, Math.max(0, value + random() * 2 - 1));
      lines.push(`cpu,host=web1 idle=${value.toFixed(2)} ${START + 10 * row}`);
    }
    yield lines.join("\n");
  }
}

async function measure(engine, where) {
  const graph = { groups: [{ series: [{ name: "s", origin: "year", source: "web1", metric: "cpu.idle" }] }] };
  for (const sample of [400, 10_000, 100_000]) {
    const body = JSON.stringify({ graph, sample, normalize: true, start_time: "2016-01-01T00:00:00Z", end_time: "2016-12-31T00:00:00Z" });
    let [wall, busy, stats] = [Infinity, Infinity, null];
    for (let round = 0; round < ROUNDS; round += 1) {
      const [began, before] = [performance.now(), cpu()];
      const answer = await engine.exchange({ method: "POST", url: "/api/v1/series/points", headers: { "content-type": "application/json" }, body });
      wall = Math.min(wall, performance.now() - began);
      busy = Math.min(busy, cpu() - before);
      if (answer.status !== 200 || answer.body.length < 1000) throw new Error(new TextDecoder().decode(answer.body));
      stats = answer.stats;
    }
    const blocks = stats.blocksFromHeader + stats.blocksDecoded;
    const headers = blocks > 0 ? `, ${((100 * stats.blocksFromHeader) / blocks).toFixed(0)} % headers` : "";
    console.log(`wasm: graph of a year, ${where}, sample ${sample}\t${busy.toFixed(1)} ms CPU, ${wall.toFixed(1)} ms${headers}`);
  }
}

const memory = await Engine.open();
for (const lines of days()) await memory.write(lines, { database: "year", precision: "s" });
await measure(memory, "in memory");
await memory.close();

const server = await Server.start("--no-self-metrics");
try {
  await server.query("CREATE DATABASE year");
  for (const lines of days()) {
    const answer = await fetch(`${server.url}/write?db=year&precision=s`, { method: "POST", body: lines });
    if (answer.status !== 204) throw new Error(await answer.text());
  }
  await server.flush();
  const replica = await Engine.open({ source: server.url });
  await replica.sync("year");
  await measure(replica, "replica of files");
  await replica.close();
} finally {
  await server.end();
}
