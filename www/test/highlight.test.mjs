import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { LANGUAGES, tokens, wordAt } = await load("highlight");

/** `kind:text` of what is neither plain nor a sign. */
const kinds = (language, text) => tokens(language, text).filter(({ kind }) => kind !== "plain" && kind !== "sign").map(({ kind, text }) => `${kind}:${text}`);

test("InfluxQL has keywords, calls, names, texts, numbers and times", () => {
  const text = `SELECT mean("a b") * 2.5 FROM cpu WHERE host = 'x''y' AND h =~ /we b\\/1/ AND time > now() - 1h30m GROUP BY time($__interval) fill(none) -- why`;
  assert.deepEqual(kinds("influxql", text), ["keyword:SELECT", "call:mean", 'name:"a b"', "number:2.5", "keyword:FROM", "keyword:WHERE", "text:'x'", "text:'y'", "keyword:AND", "text:/we b\\/1/", "keyword:AND", "call:now", "time:1h30m", "keyword:GROUP", "keyword:BY", "call:time", "time:$__interval", "keyword:fill", "comment:-- why"]);
  assert.deepEqual(kinds("influxql", "SELECT a / b FROM selected"), ["keyword:SELECT", "keyword:FROM"]);
});

test("Datadog and JSON have their own", () => {
  assert.deepEqual(kinds("datadog", "avg:system.load{host:a} by {host}.rollup(max, 60)"), ["keyword:avg", "name:system.load", "name:host", "name:a", "keyword:by", "name:host", "call:.rollup", "name:max", "number:60"]);
  assert.deepEqual(kinds("facette", '{"a": [1.5, true, "x"]}'), ['name:"a"', "number:1.5", "keyword:true", 'text:"x"']);
});

test("whatever the text, its tokens are all of it", () => {
  for (const text of ["", "'", '"', "/*", "SELECT 'a\nb", "\u{1f600} é \\", '{"a', "$$__x `~", "1.2.3e"]) {
    for (const language of LANGUAGES) assert.equal(tokens(language, text).map((token) => token.text).join(""), text, `${language} ${text}`);
  }
});

test("the word at the caret", () => {
  assert.deepEqual(wordAt("SELECT me", 9), { start: 7, word: "me" });
  assert.deepEqual(wordAt('SELECT "a b', 11), { start: 7, word: '"a b' });
  assert.deepEqual(wordAt("a b", 2), { start: 2, word: "" });
});
