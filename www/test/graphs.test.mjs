import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { curl, lines, percentiles, stacked, timeText } = await load("graphs");

test("columns are laid one upon the other, or as parts of all", () => {
  const columns = [[1, null, 3, 0], [3, 2, undefined, 0]];
  assert.deepEqual(stacked(columns, "none"), columns);
  assert.deepEqual(stacked(columns, "normal"), [[1, null, 3, 0], [4, 2, undefined, 0]]);
  assert.deepEqual(stacked(columns, "percent"), [[25, null, 100, 0], [100, 100, undefined, 0]]);
  assert.deepEqual(stacked([[73.3]], "percent"), [[100]]);
  assert.deepEqual(stacked([], "normal"), []);
});

test("answers become lines and texts become numbers", () => {
  assert.deepEqual(lines({ series: [{ points: [[1, 2], [2, null]] }, { points: null }] }), [{ times: [1000, 2000], values: [2, null] }, { times: [], values: [] }]);
  assert.deepEqual(percentiles(" 50, 95 99.9,x,"), [50, 95, 99.9]);
  assert.equal(timeText(1_496_838_488_999), "2017-06-07T12:28:08Z");
  assert.equal(curl("http://h", { graph: { name: "it's" } }), `curl -X POST 'http://h/api/v1/series/points' -H 'Content-Type: application/json' -d '{"graph":{"name":"it'\\''s"}}'`);
});
