// What the npm package keeps on the device: databases of its own, and what it has fetched.
import { check, equal, eventually, test } from "./harness.mjs";
import { open, servePackage } from "./package-page.mjs";

/** How a page that writes comes to its end. */
const DEATHS = {
  "the tab is closed": (page) => page.close(),
  "the Worker is ended": (page) => page.evaluate(() => window.worker.terminate()),
  "the renderer crashes": (page) => page.goto("chrome://crash").catch(() => {}),
};

/** Writes one point after another, each with what was acknowledged before it, until somebody ends it. */
async function keepWriting(page, persistence) {
  await page.evaluate(async (persistence) => {
    const worker = (window.worker = new Worker("/dist/worker.js", { type: "module" }));
    const engine = await Engine.open({ persistence, worker });
    const [series] = (await engine.query("SELECT count(v) FROM m", { database: "d" })).results[0]?.series ?? [];
    window.acknowledged = series ? Number(series.columns[0].values[0]) : 0;
    window.begun = window.acknowledged;
    void (async () => {
      for (;;) {
        // Some writes are large, so that one is cut off in the middle sooner or later.
        const count = window.acknowledged % 7 === 0 ? 2000 : 1;
        const lines = Array.from({ length: count }, (_, at) => `m v=${window.acknowledged + at}i ${window.acknowledged + at}`);
        await engine.write(lines.join("\n"), { database: "d" });
        window.acknowledged += count;
        await window.told(window.acknowledged);
      }
    })();
  }, persistence);
}

/** The points there are, and whether they are the first so many. */
function stored(page, persistence) {
  return page.evaluate(async (persistence) => {
    const engine = await Engine.open({ persistence });
    const [series] = (await engine.query("SELECT v FROM m", { database: "d" })).series();
    const values = [...(series?.columns[0].values ?? [])];
    engine.close();
    return { count: values.length, whole: values.every((value, at) => value === BigInt(at)) };
  }, persistence);
}

for (const persistence of ["opfs", "indexeddb"]) {
  test(`what a write has acknowledged outlives the page (${persistence})`, async ({ page: first, session, errors }) => {
    const files = await servePackage();
    let page = first;
    let told = 0;
    await session.exposeFunction("told", (count) => (told = Math.max(told, count)));
    try {
      for (const [death, end] of Object.entries(DEATHS)) {
        for (let life = 0; life < 2; life += 1) {
          await open(page, files.url);
          await eventually("the store is free again", () => keepWriting(page, persistence).then(() => true, (error) => String(error).includes("another tab") ? false : Promise.reject(error)));
          const before = told;
          await eventually("it writes", () => told > before + 2);
          await page.waitForTimeout(Math.random() * 120);
          await end(page);
          if (page !== first || death !== "the Worker is ended") await page.close().catch(() => {});
          page = await session.newPage();
          await open(page, files.url);
          const found = await eventually("it opens again", () => stored(page, persistence).catch((error) => String(error).includes("another tab") ? null : Promise.reject(error)));
          check(found.whole, `${death}: points are missing in the middle`);
          check(found.count >= told, `${death}: ${told} points were acknowledged, ${found.count} are there`);
          check(found.count <= told + 2001, `${death}: ${found.count} points, but only ${told} and one write more were sent`);
          told = found.count;
        }
      }
    } finally {
      files.close();
      errors.splice(0);
    }
  });
}

test("local databases belong to one tab at a time", async ({ page, session }) => {
  const files = await servePackage();
  try {
    await open(page, files.url);
    await page.evaluate(async () => {
      window.engine = await Engine.open({ persistence: "device" });
      await window.engine.write("m v=1 1", { database: "d" });
    });
    const other = await session.newPage();
    await open(other, files.url);
    const attempt = (name) => other.evaluate((name) => Engine.open({ persistence: "device", name }).then((engine) => engine.close(), (error) => error.code), name);
    equal(await attempt("default"), "locked", "the same store");
    equal(await attempt("another"), undefined, "a store of another name");
    await page.evaluate(() => window.engine.close());
    await eventually("the store is free", async () => (await attempt("default")) === undefined);
  } finally {
    files.close();
  }
});

test("a database is flushed, deleted from and dropped on the device too", async ({ page }) => {
  const files = await servePackage();
  try {
    await open(page, files.url);
    const counts = await page.evaluate(async () => {
      const count = async (engine) => Number((await engine.query("SELECT count(v) FROM m", { database: "d" })).results[0]?.series[0]?.columns[0].values[0] ?? 0);
      const exchange = (engine, q) => engine.exchange({ method: "POST", url: `/query?db=d&q=${encodeURIComponent(q)}` });
      let engine = await Engine.open({ persistence: "device" });
      // More than a memtable: some of it becomes files while it is written.
      for (let batch = 0; batch < 12; batch += 1) {
        const lines = Array.from({ length: 20000 }, (_, at) => `m,host=h${at % 50} v=${Math.sin(at)},w="some text ${at}" ${(batch * 20000 + at) * 1000000}`);
        await engine.write(lines.join("\n"), { database: "d" });
      }
      const counts = [await count(engine)];
      const reopen = async () => {
        engine.close();
        for (;;) {
          try {
            engine = await Engine.open({ persistence: "device" });
            return;
          } catch (error) {
            if (error.code !== "locked") throw error;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      };
      await reopen();
      counts.push(await count(engine));
      await exchange(engine, "DELETE FROM m WHERE host = 'h7'");
      counts.push(await count(engine));
      await reopen();
      counts.push(await count(engine));
      await exchange(engine, "DROP DATABASE d");
      await reopen();
      counts.push((await engine.databases()).length);
      engine.close();
      return counts;
    });
    equal(counts, [240000, 240000, 235200, 235200, 0], "points");
  } finally {
    files.close();
  }
});

const MEAN = 'SELECT mean(v) FROM m WHERE time >= 0 AND time < 100000s GROUP BY time(1000s), host';

/** Asks a replica that keeps what it fetches; gives the answer and what it cost. */
function ask(page, options = {}) {
  return page.evaluate(async ([text, options]) => {
    const engine = await Engine.open({ source: location.origin, persistence: "device", ...options });
    const result = await engine.query(text, { database: "shelf" });
    const answer = result.series().map((series) => [series.tags.host, ...series.columns[0].values]);
    const { bytesFetched } = await engine.status();
    let status;
    // What was fetched is written by and by.
    for (let look = 0; look < 100; look += 1) {
      const now = await engine.status();
      if (look > 3 && now.bytesOnDevice === status?.bytesOnDevice && now.bytesOnDevice > 0) break;
      status = now;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    engine.close();
    return { answer, bytesFetched, bytesOnDevice: status.bytesOnDevice };
  }, [MEAN, options]);
}

test("what one tab has fetched the others need not, unless it is damaged", async ({ page, session, server }) => {
  await server.query("CREATE DATABASE shelf");
  const lines = Array.from({ length: 100000 }, (_, at) => `m,host=h${at % 5} v=${Math.sin(at * 12.9898) * 43758.5453} ${at * 1_000_000_000}`);
  await server.write("shelf", lines.join("\n"));
  await server.flush();
  const files = await servePackage(() => server.url);
  try {
    await open(page, files.url);
    const first = await ask(page);
    check(first.bytesFetched > 100_000, `${first.bytesFetched} bytes came over the network`);
    check(first.bytesOnDevice > 100_000, `${first.bytesOnDevice} bytes are kept`);
    const other = await session.newPage();
    await open(other, files.url);
    const second = await ask(other);
    equal(second.bytesFetched, 0, "bytes that another tab had to fetch");
    equal(second.answer, first.answer, "its answer");
    // Damage the largest part.
    const name = await other.evaluate(async () => {
      const folder = await (await (await navigator.storage.getDirectory()).getDirectoryHandle("isopoint")).getDirectoryHandle("default.blocks");
      let largest = null;
      for await (const handle of folder.values()) {
        const { size } = await handle.getFile();
        if (largest === null || size > largest.size) largest = { handle, size };
      }
      const file = await largest.handle.createWritable({ keepExistingData: true });
      await file.write({ type: "write", position: largest.size >> 1, data: new Uint8Array([1, 2, 3, 4]) });
      await file.close();
      return largest.handle.name;
    });
    const third = await ask(other);
    check(third.bytesFetched > 0, `${name} was damaged and nothing was fetched again`);
    equal(third.answer, first.answer, "the answer after damage");
    const small = await ask(other, { deviceBytes: 60_000 });
    equal(small.answer, first.answer, "the answer with little room");
    const little = await ask(other, { deviceBytes: 300_000, name: "small" });
    check(little.bytesOnDevice <= 300_000, `${little.bytesOnDevice} bytes are kept, 300,000 may be`);
  } finally {
    files.close();
  }
});
