import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { bucketFor, bucketsAround, contains, pan, parseRange, parseSpan, pinch, printRange, resolve, zoomAround } = await load("timerange");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test("buckets are nice, get their pixels, and never undercut the points", () => {
  const cases = [
    [15 * MINUTE, 600, 1000, 5000],
    [15 * MINUTE, 1350, 1000, 1000],
    [5 * MINUTE, 1000, 1000, 1000],
    [5 * MINUTE, 1000, 10_000, 10_000],
    [DAY, 600, 1000, 5 * MINUTE],
    [4 * 365 * DAY, 600, DAY, 7 * DAY],
    [100 * 365 * DAY, 600, DAY, 112 * DAY],
    [HOUR, 0, 1000, 2 * HOUR],
  ];
  for (const [width, pixels, interval, expected] of cases) {
    assert.equal(bucketFor({ from: 7, to: 7 + width }, pixels, interval), expected, `${width} over ${pixels}`);
  }
});

test("the buckets of a span begin and end on edges, with one to spare", () => {
  assert.deepEqual(bucketsAround({ from: 12_345, to: 20_000 }, 5000), { from: 5000, to: 25_000 });
  assert.deepEqual(bucketsAround({ from: -12_345, to: -1 }, 5000), { from: -20_000, to: 5000 });
});

test("zooming keeps the moment under the pointer", () => {
  assert.deepEqual(zoomAround({ from: 0, to: 100_000 }, 25_000, 0.5), { from: 12_500, to: 62_500 });
  assert.deepEqual(zoomAround({ from: 0, to: 100_000 }, 0, 2), { from: 0, to: 200_000 });
  assert.deepEqual(zoomAround({ from: 0, to: 4000 }, 4000, 0.1), { from: 2000, to: 4000 }, "no narrower than two seconds");
});

test("panning and pinching", () => {
  assert.deepEqual(pan({ from: 10, to: 20 }, -5.4), { from: 5, to: 15 });
  const held = [{ moment: 20_000, place: 0.2 }, { moment: 80_000, place: 0.8 }];
  assert.deepEqual(pinch(...held), { from: 0, to: 100_000 });
  assert.deepEqual(pinch({ moment: 20_000, place: 0 }, { moment: 80_000, place: 1 }), { from: 20_000, to: 80_000 });
  assert.equal(pinch({ moment: 1, place: 0.5 }, { moment: 9, place: 0.5 }), null);
  assert.equal(pinch({ moment: 20_000, place: 0.8 }, { moment: 80_000, place: 0.2 }), null, "crossed fingers");
});

test("ranges survive their way through an address", () => {
  const ranges = [
    { kind: "all" },
    { kind: "last", millis: 15 * MINUTE },
    { kind: "last", millis: 7 * DAY },
    { kind: "last", millis: 90_000 },
    { kind: "fixed", from: Date.UTC(2026, 10, 24, 14, 30), to: Date.UTC(2026, 10, 24, 14, 45, 0, 250) },
  ];
  for (const range of ranges) assert.deepEqual(parseRange(printRange(range)), range);
  assert.equal(printRange(ranges[1]), "15m");
  assert.equal(printRange(ranges[4]), "2026-11-24T14:30:00Z..2026-11-24T14:45:00.250Z");
});

test("what makes no sense in an address is nothing", () => {
  for (const text of ["", "15", "m", "-5m", "1s", "1e9d", "2026-11-24T14:30:00Z", "b..a", "2026-11-24T14:30:00Z..2026-11-24T14:30:00Z"]) {
    assert.equal(parseRange(text), null, text);
  }
  assert.equal(parseSpan("2026-11-25..2026-11-24"), null);
});

test("a range becomes a span", () => {
  assert.deepEqual(resolve({ kind: "last", millis: 60_000 }, 100_000, null), { from: 40_000, to: 100_000 });
  assert.deepEqual(resolve({ kind: "all" }, 0, { from: 100_000, to: 1_100_000 }), { from: 90_000, to: 1_110_000 });
  assert.deepEqual(resolve({ kind: "all" }, 0, null), { from: -HOUR, to: 0 });
});

test("containment", () => {
  assert.ok(contains({ from: 0, to: Infinity }, { from: 0, to: 5 }));
  assert.ok(!contains({ from: 1, to: 9 }, { from: 0, to: 5 }));
  assert.ok(!contains(null, { from: 0, to: 5 }));
});
