// What the server does by itself: continuous queries, and copies for subscribers.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:http";
import test, { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "./server.mjs";

let server;
before(async () => (server = await Server.start()));
after(() => server.stop());

const write = (database, lines) => fetch(`${server.url}/write?db=${database}`, { method: "POST", body: lines });

async function eventually(look) {
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(100)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error("it did not happen in 20 s");
}

test("a continuous query writes a bucket a second", async (t) => {
  await server.query("CREATE DATABASE cq");
  // Long ago, so that no run of the continuous query takes it.
  await write("cq", "m v=1 1000000000");
  const { results: into } = await server.query("SELECT v INTO n FROM m", { db: "cq" });
  if (into[0].error?.includes("not supported")) return t.skip(into[0].error);
  await server.query("CREATE CONTINUOUS QUERY q ON cq BEGIN SELECT max(v) INTO peak FROM m GROUP BY time(1s), k END");
  const rows = await eventually(async () => {
    const now = BigInt(Date.now()) * 1_000_000n;
    await write("cq", `m,k=a v=7 ${now}\nm,k=a v=5 ${now + 1n}`);
    const { results } = await server.query("SELECT max, k FROM peak", { db: "cq" });
    return results[0].series?.[0].values;
  });
  assert.deepEqual(rows[0].slice(1), [7, "a"]);
});

test("subscribers get what is written, by HTTP and UDP", async () => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const taken = [];
  const http = createServer(async (request, answer) => {
    let body = "";
    for await (const part of request) body += part;
    taken.push([request.url, body]);
    answer.writeHead(204).end();
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  try {
    await server.query("CREATE DATABASE su");
    const all = `'http://127.0.0.1:${http.address().port}', 'udp://127.0.0.1:${socket.address().port}'`;
    await server.query(`CREATE SUBSCRIPTION s ON su.autogen DESTINATIONS ALL ${all}`);
    const datagram = once(socket, "message");
    await write("su", 'm,k=a\\ b v=1.5,n=2i,s="x" 1767225600000000000');
    const line = 'm,k=a\\ b v=1.5,n=2i,s="x" 1767225600000000000\n';
    assert.equal(String((await datagram)[0]), line);
    const [url, body] = await eventually(() => taken[0]);
    assert.equal(body, line);
    assert.match(url, /^\/write\?db=su&rp=autogen&precision=ns/);
  } finally {
    socket.close();
    http.close();
  }
});

test("a query that runs is listed and can be killed", async () => {
  const { results } = await server.query("SHOW QUERIES");
  assert.deepEqual(results[0].series[0].columns, ["qid", "query", "database", "duration", "status"]);
  assert.equal(results[0].series[0].values.at(-1)[1], "SHOW QUERIES");
  assert.equal((await server.query("KILL QUERY 999999")).results[0].error, "no such query id: 999999");
});
