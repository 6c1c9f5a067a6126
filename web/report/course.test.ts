import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, most, short, smoothed, stacked, stretches } from "./course.ts";

test("each group stands on those before it, and nothing counts as none", () => {
  assert.deepEqual(stacked(["a", "b", "c"], { a: [1, null], b: [2, 3], c: [0, 1] }), [[1, 0], [3, 3], [3, 4]]);
});

test("neighbours are joined by how many asked in them, and where nobody did there is nothing", () => {
  assert.deepEqual(smoothed([1, 0, null, null, 0.5], [3, 1, 0, 0, 2], 2), [0.75, 0.75, null, null, 0.5]);
});

test("a word's stretches are joined", () => {
  assert.deepEqual(stretches(["open", "open", "closed"]), [
    { word: "open", from: 0, until: 2 },
    { word: "closed", from: 2, until: 3 },
  ]);
});

test("the most of all values is found", () => {
  assert.equal(most([[1, null], [0, 7]]), 7);
  assert.equal(most([]), 0);
});

test("times are said as people say them", () => {
  assert.deepEqual([5, 60, 90, 3600, 5400, 86_400 * 3].map(clock), ["5 s", "1 min", "1:30", "1 h", "1:30 h", "3 d 0 h"]);
});

test("numbers are short", () => {
  assert.deepEqual([0.1234, 12, 480.2, 5000, 12_345, 2_500_000].map(short), ["0.123", "12", "480", "5 k", "12.3 k", "2.5 M"]);
});
