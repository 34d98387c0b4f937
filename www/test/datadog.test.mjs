import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { bracesAt, complete, curlDatadog, planText } = await load("datadog");

const known = { metrics: ["system.cpu.idle", "system.cpu.user", "app.hits"], tags: ["env:dev", "env:prod", "host:a"] };
const at = (text) => {
  const { from, options } = complete(text, text.length, known);
  return options.map((option) => text.slice(0, from) + option);
};

test("words are completed by where they stand", () => {
  assert.deepEqual(at("avg:sys"), ["avg:system.cpu.idle", "avg:system.cpu.user"]);
  assert.deepEqual(at("av"), ["avg:"]);
  assert.deepEqual(at("abs(avg:app"), ["abs(avg:app.hits"]);
  assert.deepEqual(at("avg:system.cpu.idle{e"), ["avg:system.cpu.idle{env:", "avg:system.cpu.idle{env:dev", "avg:system.cpu.idle{env:prod"]);
  assert.deepEqual(at("avg:app.hits{host:a,!env:p"), ["avg:app.hits{host:a,!env:prod"]);
  assert.deepEqual(at("avg:app.hits{*} by {h"), ["avg:app.hits{*} by {host"]);
  assert.deepEqual(at("avg:app.hits{*}.ro"), ["avg:app.hits{*}.rollup("]);
  assert.deepEqual(at("avg:app.hits{*}"), []);
});

test("braces know their metric", () => {
  const of = (text) => bracesAt(text, text.length);
  assert.deepEqual(of("sum:a.b{x:y,"), { metric: "a.b", by: false });
  assert.deepEqual(of("sum:a.b{*}.rollup(sum,60) by {"), { metric: "a.b", by: true });
  assert.equal(of("sum:a.b{*} + c"), null);
});

test("an answer says its plan", () => {
  const attributes = { interval: 20, method: "avg", sources: 3, fill: "linear", fill_limit: 300, partial: true };
  const answer = { series: [{ scope: "host:a", display_name: "m", tag_set: ["host:a"], pointlist: [[1000, 1.5], [2000, null]], attributes }] };
  assert.equal(planText(answer), "interval 20 s, avg over 3 sources, linear fill up to 300 s; the last bucket is not full yet");
  assert.equal(planText({ series: [] }), "");
  assert.match(curlDatadog("http://h", 900, "avg:it's{*}"), /^curl -G 'http:\/\/h\/api\/v1\/query' .*- 900.*'query=avg:it'\\''s\{\*\}'$/);
});
