import assert from "node:assert/strict";
import { test } from "node:test";

import { about, endingNote, lineWords, marked, span, stateLine } from "./words.ts";

test("every ending but a complete one has its sentence", () => {
  const endings = ["stopped", "length", "unattended", "cut", "failed", "crowded_out"] as const;
  assert.equal(new Set(endings.map(endingNote)).size, endings.length);
  assert.ok(endings.every((ending) => endingNote(ending)));
  assert.equal(endingNote("complete"), null);
  assert.equal(endingNote(null), null);
});

test("where one stands in line is said in words", () => {
  assert.equal(lineWords(3, 11.2), "You are third in line. About 12 seconds.");
  assert.equal(lineWords(1, 0.4), "You are next in line. Any moment now.");
  assert.equal(lineWords(2, null), "You are second in line.");
  assert.deepEqual(
    [10, 11, 12, 13, 21, 22, 23, 111].map((position) => lineWords(position, null)),
    ["tenth", "11th", "12th", "13th", "21st", "22nd", "23rd", "111th"].map((place) => `You are ${place} in line.`),
  );
});

test("a wait is said the coarser the longer it is, and never shorter than it is", () => {
  assert.deepEqual([2, 14.1, 16, 41, 55, 56, 60, 61, 300].map(about), [
    "About 2 seconds.", "About 15 seconds.", "About 20 seconds.", "About 45 seconds.", "About 55 seconds.",
    "About a minute.", "About a minute.", "About 2 minutes.", "About 5 minutes.",
  ]);
});

test("until it is known where one stands, nothing is made up", () => {
  const reply = { id: "a", conversation: "c", parent: "q", state: "waiting", sequence: 0, content: "", reasoning: "",
    reasoning_s: null, read_tokens: null, prompt_tokens: null, position: null, wait_s: null } as const;
  assert.equal(stateLine(reply, null), "Waiting for a free place…");
  assert.equal(stateLine({ ...reply, position: 2, wait_s: 3 }, 3), "You are second in line. About 3 seconds.");
  assert.equal(stateLine({ ...reply, state: "reading" }, null), "Reading your question…");
});

test("spans are said in seconds, then in minutes, then in hours", () => {
  assert.equal(span(11.6), "12 s");
  assert.equal(span(125), "2 min 5 s");
  assert.equal(span(3599), "59 min 59 s");
  assert.equal(span(39_234), "10 h 54 min");
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
