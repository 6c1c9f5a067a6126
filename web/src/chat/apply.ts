// What an event does to the open conversation. Pieces of an answer are numbered: one that is known already is
// dropped, and where one is missing the answer is "stale" and must be asked for anew.
import type { AccountEvent, Conversation, ConversationTree, Message, Reply, ReplyError } from "../api/types.ts";

export interface Trouble extends ReplyError {
  /** When it may be tried again, in milliseconds since the epoch. */
  again_at: number | null;
}

export interface Open {
  conversation: Conversation;
  /** Oldest first. */
  messages: Message[];
  reply: Reply | null;
  /** When the answer's turn comes, in milliseconds since the epoch, while it waits and once that is known. */
  turn_at: number | null;
  /** Why a question has no answer, by the question's id. Only this page's memory: the server keeps no errors. */
  troubles: Map<string, Trouble>;
}

export type Applied = "applied" | "ignored" | "stale";

export function opened(tree: ConversationTree, now: number, troubles = new Map<string, Trouble>()): Open {
  const open = { conversation: tree.conversation, messages: tree.messages, reply: tree.reply, turn_at: null, troubles };
  expect(open, tree.reply?.wait_s, now);
  return open;
}

// A wait that is told a little differently each time is the same wait: a number that jumps about is believed by nobody.
const SAME_MS = 3_000;
const SAME_PART = 0.25;

function expect(open: Open, wait_s: number | null | undefined, now: number): void {
  if (wait_s == null) {
    open.turn_at = null;
    return;
  }
  const turn_at = now + wait_s * 1000;
  const differs = open.turn_at === null ? Infinity : Math.abs(turn_at - open.turn_at);
  if (differs > Math.max(SAME_MS, SAME_PART * wait_s * 1000)) open.turn_at = turn_at;
}

export function trouble(error: ReplyError, now: number): Trouble {
  return { ...error, again_at: error.retry_after_s == null ? null : now + error.retry_after_s * 1000 };
}

/** Apply `event` to `open` in place. */
export function apply(open: Open, event: AccountEvent, now: number): Applied {
  switch (event.type) {
    case "message_added":
      if (event.message === undefined || event.conversation.id !== open.conversation.id) return "ignored";
      open.conversation = event.conversation;
      return add(open, event.message);
    case "reply_began":
      return event.reply.conversation === open.conversation.id ? began(open, event.reply, now) : "ignored";
    case "reply_moved":
      return moved(open, event, now);
    case "reply_grew":
      return grew(open, event);
    case "reply_ended":
      return event.conversation === open.conversation.id ? ended(open, event, now) : "ignored";
    case "conversation_changed":
      if (event.conversation.id !== open.conversation.id) return "ignored";
      open.conversation = event.conversation;
      return "applied";
    default:
      return "ignored";
  }
}

/** Add a message, unless it is there. */
export function add(open: Open, message: Message): Applied {
  if (open.messages.some((known) => known.id === message.id)) return "ignored";
  open.messages = [...open.messages, message];
  return "applied";
}

/** Take an answer that has begun, or a newer state of the one that is known. */
export function began(open: Open, reply: Reply, now: number): Applied {
  if (open.messages.some((message) => message.id === reply.id)) return "ignored";
  if (open.reply?.id === reply.id && open.reply.sequence >= reply.sequence) return "ignored";
  open.reply = reply;
  open.turn_at = null;
  expect(open, reply.wait_s, now);
  open.troubles.delete(reply.parent);
  // The question must be on the page before its answer is.
  return open.messages.some((message) => message.id === reply.parent) ? "applied" : "stale";
}

const ORDER = ["waiting", "reading", "thinking", "writing"] as const;
const WITH_WORDS = ORDER.indexOf("thinking");

function moved(open: Open, event: Extract<AccountEvent, { type: "reply_moved" }>, now: number): Applied {
  if (open.reply?.id !== event.id) return event.conversation === open.conversation.id ? unknown(open, event.id) : "ignored";
  // An event that was on its way while the answer was asked for anew may be older than what we know.
  // Only until there are words it may go back: whoever is better known goes first.
  const was = ORDER.indexOf(open.reply.state);
  if (ORDER.indexOf(event.state) < was && was >= WITH_WORDS) return "ignored";
  open.reply.state = event.state;
  open.reply.position = event.position;
  open.reply.wait_s = event.wait_s;
  expect(open, event.wait_s, now);
  open.reply.read_tokens = event.read_tokens;
  open.reply.prompt_tokens = event.prompt_tokens;
  return "applied";
}

function grew(open: Open, event: Extract<AccountEvent, { type: "reply_grew" }>): Applied {
  if (open.reply?.id !== event.id) return event.conversation === open.conversation.id ? unknown(open, event.id) : "ignored";
  if (event.sequence <= open.reply.sequence) return "ignored";
  if (event.sequence > open.reply.sequence + 1) return "stale";
  open.reply.sequence = event.sequence;
  open.reply.reasoning += event.reasoning ?? "";
  open.reply.content += event.content ?? "";
  if (event.content) open.reply.state = "writing";
  else if (event.reasoning && open.reply.state !== "writing") open.reply.state = "thinking";
  return "applied";
}

function ended(open: Open, event: Extract<AccountEvent, { type: "reply_ended" }>, now: number): Applied {
  const parent = event.message?.parent ?? (open.reply?.id === event.id ? open.reply.parent : null);
  if (event.error && parent !== null) open.troubles.set(parent, trouble(event.error, now));
  if (event.message) add(open, event.message);
  if (open.reply?.id === event.id) open.reply = null;
  return "applied";
}

/** A piece of an answer that we have not heard of: late, when the answer is complete here; else something is missing. */
function unknown(open: Open, id: string): Applied {
  return open.messages.some((message) => message.id === id) ? "ignored" : "stale";
}
