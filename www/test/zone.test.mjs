import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { isZone, momentOf, offsetAt, zones } = await load("zone");
const { formatTime } = await load("format");

const HOUR = 3_600_000;
const [winter, summer] = [Date.UTC(2026, 0, 15, 12), Date.UTC(2026, 6, 15, 12)];

test("a zone's offset follows its clocks", () => {
  assert.deepEqual([offsetAt(winter, "Europe/Berlin"), offsetAt(summer, "Europe/Berlin")], [HOUR, 2 * HOUR]);
  assert.deepEqual([offsetAt(winter, "Asia/Kathmandu"), offsetAt(winter, "UTC")], [5.75 * HOUR, 0]);
  assert.equal(offsetAt(winter + 123, "America/New_York"), -5 * HOUR, "milliseconds do no harm");
  assert.equal(formatTime(summer, "Europe/Berlin"), "2026-07-15 14:00:00");
});

test("what a zone's clocks show is a moment again, beside a change of the clocks too", () => {
  // In Berlin clocks went from 02:00 to 03:00 on 29 March 2026, 01:00 UTC.
  const change = Date.UTC(2026, 2, 29, 1);
  for (const zone of ["Europe/Berlin", "America/St_Johns", "UTC"]) {
    for (const moment of [change - HOUR, change - 1000, change, change + HOUR, winter, summer]) {
      const shown = formatTime(moment, zone).replace(" ", "T");
      assert.equal(momentOf(shown, zone), moment, `${zone} ${shown}`);
    }
  }
  assert.ok(Number.isNaN(momentOf("", "UTC")));
});

test("zones that are none are known as such", () => {
  assert.deepEqual(["local", "UTC", "Europe/Berlin", "Mars/Olympus", ""].map(isZone), [true, true, true, false, false]);
  assert.deepEqual(zones().slice(0, 2), ["local", "UTC"]);
  assert.ok(zones().includes("Asia/Tokyo"));
});
