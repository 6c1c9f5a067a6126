import assert from "node:assert/strict";
import { test } from "node:test";

import type { Message, Reply } from "../api/types.ts";
import { type Open, apply, began, opened } from "./apply.ts";

const CONVERSATION = { id: "c", title: "Tides", created_at_s: 1, updated_at_s: 1 };
const message = (id: string, parent: string | null, author: Message["author"]): Message => ({
  id, parent, author, content: id, reasoning: "", reasoning_s: null, ending: null, created_at_s: 1,
});
const reply = (more: Partial<Reply> = {}): Reply => ({
  id: "a", conversation: "c", parent: "q", state: "writing", sequence: 3, content: "one ", reasoning: "", reasoning_s: null,
  read_tokens: null, prompt_tokens: null, position: null, wait_s: null, ...more,
});
const asked = (running: Reply | null = reply()): Open =>
  opened({ conversation: CONVERSATION, messages: [message("q", null, "user")], reply: running }, 0);
const grew = (sequence: number, content: string, id = "a") =>
  ({ type: "reply_grew", id, conversation: "c", sequence, content, reasoning: "" }) as const;

test("the next piece is added", () => {
  const open = asked();
  assert.equal(apply(open, grew(4, "two"), 0), "applied");
  assert.equal(open.reply?.content, "one two");
  assert.equal(open.reply?.sequence, 4);
});

test("a piece that is known is dropped", () => {
  const open = asked();
  assert.equal(apply(open, grew(3, "one "), 0), "ignored");
  assert.equal(open.reply?.content, "one ");
});

test("a missing piece makes the answer stale and adds nothing", () => {
  const open = asked();
  assert.equal(apply(open, grew(5, "three"), 0), "stale");
  assert.equal(open.reply?.content, "one ");
});

test("a piece of an answer nobody heard of makes the conversation stale", () => {
  assert.equal(apply(asked(null), grew(1, "?", "new"), 0), "stale");
});

test("a late piece of an answer that is complete is dropped", () => {
  const open = asked(null);
  open.messages.push(message("a", "q", "assistant"));
  assert.equal(apply(open, grew(9, "late"), 0), "ignored");
});

test("pieces of another conversation are not ours", () => {
  assert.equal(apply(asked(), { ...grew(9, "x", "other"), conversation: "d" }, 0), "ignored");
});

test("an older state of an answer does not replace a newer one", () => {
  const open = asked();
  assert.equal(began(open, reply({ sequence: 0, content: "" }), 0), "ignored");
  assert.equal(open.reply?.content, "one ");
});

test("an answer to a question that is not here makes the conversation stale", () => {
  assert.equal(began(asked(null), reply({ parent: "unseen" }), 0), "stale");
});

test("an answer does not go back from writing to reading", () => {
  const open = asked();
  const back = { type: "reply_moved", id: "a", conversation: "c", state: "reading", read_tokens: 1, prompt_tokens: 9, position: null, wait_s: null } as const;
  assert.equal(apply(open, back, 0), "ignored");
  assert.equal(open.reply?.state, "writing");
});

test("thinking and writing show in the state without being told apart", () => {
  const open = asked(reply({ state: "waiting", sequence: 0, content: "" }));
  apply(open, { ...grew(1, ""), reasoning: "hm" }, 0);
  assert.equal(open.reply?.state, "thinking");
  apply(open, grew(2, "so"), 0);
  assert.equal(open.reply?.state, "writing");
});

test("an answer that ended is a message, once", () => {
  const open = asked();
  const ended = { type: "reply_ended", id: "a", conversation: "c", message: message("a", "q", "assistant"), error: null } as const;
  apply(open, ended, 0);
  apply(open, ended, 0);
  assert.equal(open.reply, null);
  assert.deepEqual(open.messages.map((one) => one.id), ["q", "a"]);
});

test("why there is no answer is remembered with the question, and when to try again", () => {
  const open = asked();
  const error = { code: "server_is_overloaded", message: "Full.", retry_after_s: 5 };
  apply(open, { type: "reply_ended", id: "a", conversation: "c", message: null, error }, 1_000);
  assert.deepEqual(open.troubles.get("q"), { ...error, again_at: 6_000 });
  began(open, reply({ id: "b", sequence: 0 }), 0);
  assert.equal(open.troubles.size, 0);
});

const waits = (position: number, wait_s: number) =>
  ({ type: "reply_moved", id: "a", conversation: "c", state: "waiting", position, wait_s, read_tokens: null, prompt_tokens: null }) as const;

test("a wait that is told a little differently is the same wait, and one that changed is another", () => {
  const open = asked(reply({ state: "waiting", sequence: 0, content: "" }));
  assert.equal(open.turn_at, null);
  apply(open, waits(3, 12), 1_000);
  assert.equal(open.turn_at, 13_000);
  apply(open, waits(2, 9), 3_000);
  assert.deepEqual([open.turn_at, open.reply?.position], [13_000, 2]);
  apply(open, waits(2, 30), 4_000);
  assert.equal(open.turn_at, 34_000);
});

test("an answer without words may go back to waiting, one with words may not", () => {
  const open = asked(reply({ state: "reading", sequence: 0, content: "" }));
  assert.equal(apply(open, waits(1, 2), 0), "applied");
  assert.deepEqual([open.reply?.state, open.turn_at], ["waiting", 2_000]);
  apply(open, { ...waits(1, 2), state: "reading", position: null, wait_s: null }, 500);
  assert.deepEqual([open.reply?.state, open.turn_at], ["reading", null]);
  assert.equal(apply(asked(), waits(1, 2), 0), "ignored");
});
