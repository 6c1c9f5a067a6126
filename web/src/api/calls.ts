// Every call that the chat makes, by name.
import { call, callAndLeave } from "./client.ts";
import type { Asked, Conversation, ConversationList, ConversationTree, HitList, Reply, Session } from "./types.ts";

const at = (id: string) => `/api/conversations/${encodeURIComponent(id)}`;

export const session = () => call<Session>("GET", "/api/session");

export const conversations = (before?: number) =>
  call<ConversationList>("GET", before === undefined ? "/api/conversations" : `/api/conversations?before=${before}`);

export const conversation = (id: string) => call<ConversationTree>("GET", at(id));

export const search = (words: string, signal: AbortSignal) =>
  call<HitList>("GET", `/api/search?q=${encodeURIComponent(words)}`, undefined, signal);

export const begin = (content: string) => call<Asked>("POST", "/api/conversations", { content });

export const ask = (id: string, content: string, parent: string | null) =>
  call<Asked>("POST", `${at(id)}/messages`, { content, parent });

/** Ask for an answer to a question that is there: the first one, or another one. */
export const answer = (id: string, parent: string) => call<Reply>("POST", `${at(id)}/replies`, { parent });

export const stop = (id: string) => call<void>("DELETE", `${at(id)}/reply`);

export const rename = (id: string, title: string) => call<Conversation>("PATCH", at(id), { title });

export const remove = (id: string) => call<void>("DELETE", at(id));

/** Remove while the page is closing. */
export const removeAndLeave = (id: string) => callAndLeave("DELETE", at(id));
