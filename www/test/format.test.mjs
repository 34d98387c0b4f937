import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { formatAge, formatAxis, formatCount, formatDuration, formatMillis, formatNanos, formatSpan, formatValue, plural } = await load("format");
const plain = (text) => text.replaceAll("\u202f", " ");

test("values carry their unit and about three digits", () => {
  const cases = [
    [12.345, "percent", "12.3 %"],
    [0, "bytes", "0 B"],
    [1023, "bytes", "1023 B"],
    [1024, "bytes", "1.00 KiB".replace("1.00", "1")],
    [1536, "bytes/s", "1.50 KiB/s"],
    [5.5 * 1024 ** 3, "bytes", "5.50 GiB"],
    [0.4, "bytes/s", "0 B/s"],
    [-3.04, "°C", "−3.0 °C"],
    [-0.01, "°C", "0.0 °C"],
    [2.345, "number", "2.35"],
    [42, "number", "42"],
    [4212, "count/s", "4.21k/s"],
    [null, "percent", "–"],
    [undefined, "number", "–"],
    [NaN, "bytes", "–"],
  ];
  for (const [value, unit, expected] of cases) assert.equal(plain(formatValue(value, unit)), expected);
});

test("an axis has one suffix and tells its labels apart", () => {
  assert.deepEqual(formatAxis([0, 50, 100], "percent").map(plain), ["0 %", "50 %", "100 %"]);
  assert.deepEqual(formatAxis([0, 0.5, 1], "number"), ["0.0", "0.5", "1.0"]);
  assert.deepEqual(formatAxis([0, 512 * 1024, 1024 * 1024], "bytes").map(plain), ["0.0 MiB", "0.5 MiB", "1.0 MiB"]);
  assert.deepEqual(formatAxis([1017.25, 1017.5], "hPa").map(plain), ["1017.25 hPa", "1017.50 hPa"]);
  assert.deepEqual(formatAxis([0, 2048], "bytes/s").map(plain), ["0 KiB", "2 KiB"]);
  assert.deepEqual(formatAxis([0, 2000], "count/s"), ["0k", "2k"]);
  assert.deepEqual(formatAxis([0, 2], "m/s").map(plain), ["0 m/s", "2 m/s"]);
  assert.deepEqual(formatAxis([], "number"), []);
});

test("times and lengths of time", () => {
  assert.equal(formatNanos(1_790_260_205_250_000_000n), "2026-09-24T14:30:05.25Z");
  assert.equal(formatNanos(0n), "1970-01-01T00:00:00Z");
  assert.equal(formatNanos(-1n), "1969-12-31T23:59:59.999999999Z");
  assert.deepEqual([1000, 90_000, 900_000, 7 * 86_400_000, 1].map(formatDuration), ["1s", "90s", "15m", "7d", "1ms"]);
  assert.deepEqual([500, 12_000, 250_000, 7_200_000, 200_000_000].map(formatAge), ["now", "12 s", "4 min", "2 h", "2 d"]);
  assert.deepEqual([0.44, 12.3, 1340].map(formatMillis), ["0.4 ms", "12 ms", "1.3 s"]);
  const noon = Date.UTC(2026, 10, 24, 12);
  assert.equal(formatSpan(noon, noon + 900_000, "UTC"), "2026-11-24 12:00:00 – 12:15:00");
  assert.equal(formatSpan(noon, noon + 86_400_000, "UTC"), "2026-11-24 12:00 – 2026-11-25 12:00");
  assert.equal(formatSpan(noon, noon + 5 * 86_400_000, "UTC"), "2026-11-24 – 2026-11-29");
});

test("counts", () => {
  assert.equal(formatCount(1234567), "1,234,567");
  assert.equal(formatCount(999), "999");
  assert.equal(plural(1, "block"), "1 block");
  assert.equal(plural(1000, "block"), "1,000 blocks");
});
