import assert from "node:assert/strict";
import { test } from "node:test";

import { byDay, extend, renew, upsert } from "./days.ts";

const NOW = new Date(2026, 10, 21, 0, 30); // half an hour into the day
const at = (id: string, ...day: [number, number, number, number?]) => ({
  id, title: id, created_at_s: 0, updated_at_s: new Date(...(day as [number, number, number])).getTime() / 1000,
});
const old = (id: string, updated_at_s: number) => ({ id, title: id, created_at_s: 0, updated_at_s });
const ids = (conversations: { id: string }[]) => conversations.map((conversation) => conversation.id).join(" ");

test("days are the reader's calendar days, and empty groups are not shown", () => {
  const list = [at("today", 2026, 10, 21), at("yesterday", 2026, 10, 20, 23), at("week", 2026, 10, 14), at("older", 2026, 10, 13)];
  assert.deepEqual(
    byDay(list, NOW).map((group) => [group.name, ids(group.conversations)]),
    [["Today", "today"], ["Yesterday", "yesterday"], ["Last 7 days", "week"], ["Older", "older"]],
  );
  assert.deepEqual(byDay([at("one", 2026, 10, 20)], NOW).map((group) => group.name), ["Yesterday"]);
});

test("what changed moves to its place and is there once", () => {
  assert.equal(ids(upsert([old("b", 2), old("a", 1)], old("a", 3))), "a b");
});

test("a renewed first page drops what was deleted meanwhile and keeps older pages", () => {
  const known = [old("d", 4), old("c", 3), old("b", 2), old("a", 1)];
  assert.equal(ids(renew(known, { data: [old("e", 5), old("c", 3)], has_more: true })), "e c b a");
});

test("a first page that is all there is leaves nothing else", () => {
  assert.equal(ids(renew([old("b", 2), old("a", 1)], { data: [old("b", 2)], has_more: false })), "b");
});

test("an older page goes below, and nothing is there twice", () => {
  assert.equal(ids(extend([old("c", 3), old("b", 2)], { data: [old("b", 2), old("a", 1)], has_more: false })), "c b a");
});
