// A conversation is a tree: an edited question or a second answer is a new branch. What is on the page is one way
// through it, from the root to a leaf.
import type { Message } from "../api/types.ts";

type Node = Pick<Message, "id" | "parent">;

/** The messages from the root to `leaf`; without one (or with one that is gone), to the newest message. */
export function path<M extends Node>(messages: readonly M[], leaf: string | null): M[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  let at = (leaf === null ? undefined : byId.get(leaf)) ?? messages.at(-1);
  const way: M[] = [];
  // A message that is its own ancestor cannot come from the server; were it to, the page must not hang.
  while (at !== undefined && way.length < messages.length) {
    way.push(at);
    at = at.parent === null ? undefined : byId.get(at.parent);
  }
  return way.reverse();
}

/** The newest message at or below `top`. Messages come oldest first, so a child stands behind its parent. */
export function newestBelow(messages: readonly Node[], top: string): string {
  const below = new Set([top]);
  let newest = top;
  for (const message of messages) {
    if (message.parent !== null && below.has(message.parent)) {
      below.add(message.id);
      newest = message.id;
    }
  }
  return newest;
}

/** Everything that came after the same message as `id`, oldest first, `id` included. */
export function siblings(messages: readonly Node[], parent: string | null): string[] {
  return messages.filter((message) => message.parent === parent).map((message) => message.id);
}
