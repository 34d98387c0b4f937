import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { measurementOf, parseCsv, tableToPoints } = await load("files");

test("CSV with quotes, line ends and separators of its own", () => {
  assert.deepEqual(parseCsv('\uFEFFa,"b ""x"", y"\r\n1,"two\nlines"\r\n\r\n3,\r\n'), { columns: ["a", 'b "x", y'], rows: [["1", "two\nlines"], ["3", ""]] });
  assert.deepEqual(parseCsv("a;b;c\n1;2,5;3"), { columns: ["a", "b", "c"], rows: [["1", "2,5", "3"]] });
  assert.deepEqual(parseCsv("a\tb\n1\t2"), { columns: ["a", "b"], rows: [["1", "2"]] });
  assert.deepEqual(parseCsv(""), { columns: [], rows: [] });
});

test("columns become times, tags and fields", () => {
  const table = parseCsv("when,time,room,ok,note\n1,2026-01-01 00:00:00,a b,true,x\n2,2026-01-01T00:00:01Z,a b,false,y\n,2026-01-01 00:00:02,a b,,\nbad,,a b,true,z\n5,2026-01-01 00:00:03,c,true,w".replaceAll("bad", "4"));
  const points = tableToPoints("m x", table);
  assert.deepEqual([points.fields, points.tags, points.rows, points.skipped], [["when", "ok", "note"], ["room"], 3, 2]);
  assert.deepEqual(points.pieces.join("\n").split("\n"), [
    'm\\ x,room=a\\ b when=1,ok=true,note="x" 1767225600000000000',
    'm\\ x,room=a\\ b when=2,ok=false,note="y" 1767225601000000000',
    'm\\ x,room=c when=5,ok=true,note="w" 1767225603000000000',
  ]);
  assert.deepEqual([points.from, points.to], [1767225600000000000n, 1767225603000000000n]);
});

test("whole numbers are times of the size they have", () => {
  for (const [stamp, nanos] of [["1767225600", 1767225600000000000n], ["1767225600123", 1767225600123000000n], ["1767225600123456", 1767225600123456000n], ["1767225600123456789", 1767225600123456789n]]) {
    assert.equal(tableToPoints("m", { columns: ["ts", "v"], rows: [[stamp, "1"]] }).from, nanos);
  }
  const dates = tableToPoints("m", { columns: ["d", "v"], rows: [[new Date(5), 1n]] });
  assert.equal(dates.pieces[0], "m v=1 5000000");
});

test("what is no table of points is refused in words", () => {
  assert.throws(() => tableToPoints("m", parseCsv("a,b\n1,2")), /no column of times/);
  assert.throws(() => tableToPoints("m", parseCsv("time\n1")), /no column of values/);
  assert.throws(() => tableToPoints("m", parseCsv("time,v\nx,1")), /No row has both/);
  assert.equal(measurementOf("a/weather.daily.csv"), "weather.daily");
});
