import assert from "node:assert/strict";
import { test } from "node:test";

import { newestBelow, path, siblings } from "./tree.ts";

const said = (id: string, parent: string | null) => ({ id, parent });
// q1 -> a1 -> q2 -> a2
//    -> b1 -> r2
const TREE = [said("q1", null), said("a1", "q1"), said("q2", "a1"), said("a2", "q2"), said("b1", "q1"), said("r2", "b1")];
const ids = (messages: { id: string }[]) => messages.map((message) => message.id).join(" ");

test("without a choice the way leads to the newest message", () => {
  assert.equal(ids(path(TREE, null)), "q1 b1 r2");
});

test("a chosen message ends the way", () => {
  assert.equal(ids(path(TREE, "a2")), "q1 a1 q2 a2");
  assert.equal(ids(path(TREE, "q1")), "q1");
});

test("a choice that is gone leads to the newest message", () => {
  assert.equal(ids(path(TREE, "gone")), "q1 b1 r2");
});

test("a ring among messages ends", () => {
  assert.equal(path([said("a", "b"), said("b", "a")], "a").length, 2);
});

test("an empty conversation has an empty way", () => {
  assert.deepEqual(path([], null), []);
});

test("a branch is entered at its newest message", () => {
  assert.equal(newestBelow(TREE, "a1"), "a2");
  assert.equal(newestBelow(TREE, "r2"), "r2");
});

test("alternatives come after the same message", () => {
  assert.deepEqual(siblings(TREE, "q1"), ["a1", "b1"]);
  assert.deepEqual(siblings(TREE, null), ["q1"]);
});
