// Nobody is told of each step, and nobody is left to guess.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Voice } from "./voice.ts";

const at = (position: number | null, id = "one") => ({ id, position, wait_s: 12 });

test("where an answer stands is said when that is first known, and once", () => {
  const voice = new Voice();
  assert.equal(voice.says(at(null), 0), null);
  assert.equal(voice.says(at(3), 1_000), "You are third in line. About 12 seconds.");
  assert.equal(voice.says(at(3), 60_000), null);
});

test("of the steps between, one is said now and then; that it is next is said at once", () => {
  const voice = new Voice();
  voice.says(at(5), 0);
  assert.equal(voice.says(at(4), 10_000), null);
  assert.match(voice.says(at(4), 15_000) ?? "", /fourth/);
  assert.match(voice.says(at(1), 15_100) ?? "", /next/);
});

test("another answer is another line, and so is one that was set aside", () => {
  const voice = new Voice();
  voice.says(at(2), 0);
  assert.match(voice.says(at(2, "two"), 100) ?? "", /second/);
  assert.equal(voice.says(at(null, "two"), 200), null);
  assert.match(voice.says(at(2, "two"), 300) ?? "", /second/);
});
