import assert from "node:assert/strict";
import { test } from "node:test";

import { endingNote, marked, span } from "./words.ts";

test("every ending but a complete one has its sentence", () => {
  const endings = ["stopped", "length", "unattended", "cut", "failed"] as const;
  assert.equal(new Set(endings.map(endingNote)).size, endings.length);
  assert.ok(endings.every((ending) => endingNote(ending)));
  assert.equal(endingNote("complete"), null);
  assert.equal(endingNote(null), null);
});

test("spans are said in seconds, then in minutes", () => {
  assert.equal(span(11.6), "12 s");
  assert.equal(span(125), "2 min 5 s");
});

test("found words are marked whatever their case, and signs are only signs", () => {
  assert.deepEqual(marked("A Flap (old)", "flap ("), [
    { text: "A ", is_hit: false },
    { text: "Flap", is_hit: true },
    { text: " ", is_hit: false },
    { text: "(", is_hit: true },
    { text: "old)", is_hit: false },
  ]);
});
