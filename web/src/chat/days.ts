// The list of conversations, in the order and the groups in which a person looks for one.
import type { Conversation, ConversationList } from "../api/types.ts";

export interface Group {
  name: string;
  conversations: Conversation[];
}

/** Group conversations (newest first) by the reader's calendar days. */
export function byDay(conversations: readonly Conversation[], now: Date): Group[] {
  const midnight = (daysAgo: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo).getTime() / 1000;
  const since: [name: string, from_s: number][] = [
    ["Today", midnight(0)],
    ["Yesterday", midnight(1)],
    ["Last 7 days", midnight(7)],
    ["Older", -Infinity],
  ];
  const groups: Group[] = since.map(([name]) => ({ name, conversations: [] }));
  for (const conversation of conversations) {
    const at = since.findIndex(([, from_s]) => conversation.updated_at_s >= from_s);
    groups[at]?.conversations.push(conversation);
  }
  return groups.filter((group) => group.conversations.length > 0);
}

/** Put a conversation where it belongs, in place of what was known of it. */
export function upsert(known: readonly Conversation[], conversation: Conversation): Conversation[] {
  return newestFirst([...known.filter((other) => other.id !== conversation.id), conversation]);
}

/** Take the list's first page for what it says, and keep what is known of older ones. */
export function renew(known: readonly Conversation[], first: ConversationList): Conversation[] {
  const oldest = first.data.at(-1);
  const told = new Set(first.data.map((conversation) => conversation.id));
  const older =
    !first.has_more || oldest === undefined
      ? []
      : known.filter((other) => other.updated_at_s < oldest.updated_at_s && !told.has(other.id));
  return newestFirst([...first.data, ...older]);
}

/** Add an older page. */
export function extend(known: readonly Conversation[], page: ConversationList): Conversation[] {
  const told = new Set(page.data.map((conversation) => conversation.id));
  return newestFirst([...known.filter((other) => !told.has(other.id)), ...page.data]);
}

function newestFirst(conversations: Conversation[]): Conversation[] {
  return conversations.sort((one, other) => other.updated_at_s - one.updated_at_s);
}
