// The conversation on the page: loading it, asking, stopping, and following what the server tells.
import { SvelteMap } from "svelte/reactivity";

import * as calls from "../api/calls.ts";
import { CallFailed } from "../api/client.ts";
import type { AccountEvent, Asked, Message, Reply } from "../api/types.ts";
import { type Open, type Trouble, add, apply, began, opened, trouble } from "../chat/apply.ts";
import { newestBelow, path, siblings } from "../chat/tree.ts";
import { Voice } from "../chat/voice.ts";
import { endingNote } from "../chat/words.ts";
import { list } from "./list.svelte.ts";
import { notices, sentence } from "./notices.svelte.ts";
import { pathOf, router } from "./router.svelte.ts";

/** One thing in the thread: a message, or the answer that is being written. */
export interface Entry {
  id: string;
  message: Message | null;
  reply: Reply | null;
}

class Chat {
  open = $state<Open | null>(null);
  /** Where the way through the tree ends; null follows what is newest. */
  leaf = $state<string | null>(null);
  isLoading = $state(false);
  failure = $state<{ text: string; is_gone: boolean } | null>(null);
  isAsking = $state(false);
  /** Why the text in the composer was not taken. */
  refusal = $state<Trouble | null>(null);

  #id: string | null = null;
  #turn = 0;
  #loads = 0;
  // What is told while a state is on its way is kept, and applied to that state when it is here.
  #awaited = 0;
  #early: AccountEvent[] = [];
  readonly #voice = new Voice();

  entries: Entry[] = $derived.by(() => {
    if (this.open === null) return [];
    const { messages, reply } = this.open;
    const way = path(messages, this.leaf ?? reply?.parent ?? null);
    const entries: Entry[] = way
      .filter((message) => message.author === "user" || message.author === "assistant")
      .map((message) => ({ id: message.id, message, reply: null }));
    if (reply !== null && way.at(-1)?.id === reply.parent) entries.push({ id: reply.id, message: null, reply });
    return entries;
  });

  /** The other answers, or questions, in the place of one. */
  alternatives(entry: Entry): string[] {
    if (this.open === null) return [];
    const { messages, reply } = this.open;
    const parent = entry.message === null ? (entry.reply?.parent ?? null) : entry.message.parent;
    const found = siblings(messages, parent);
    return reply !== null && reply.parent === parent ? [...found, reply.id] : found;
  }

  choose(id: string): void {
    if (this.open === null) return;
    this.leaf = id === this.open.reply?.id ? this.open.reply.parent : newestBelow(this.open.messages, id);
  }

  /** Show a conversation, or the empty page; `canLoad` is false while somebody else is about to call `load`. */
  async show(id: string | null, canLoad: boolean): Promise<void> {
    this.refusal = null;
    if (id === this.#id) return;
    this.#id = id;
    this.#turn += 1;
    this.leaf = null;
    this.failure = null;
    this.open = null;
    this.isLoading = id !== null;
    if (canLoad) await this.load();
  }

  /** Ask the server for the whole state: at first, after every (re)connect, and when a piece is missing. */
  async load(): Promise<void> {
    this.#loads += 1;
    const id = this.#id;
    if (id === null) return;
    const turn = ++this.#turn;
    this.isLoading = true;
    await this.#awaiting(async () => {
      try {
        const tree = await calls.conversation(id);
        if (turn !== this.#turn) return;
        this.open = opened(tree, Date.now(), this.open?.troubles ?? new SvelteMap());
        this.failure = null;
        if (this.leaf !== null && !tree.messages.some((message) => message.id === this.leaf)) this.leaf = null;
      } catch (error) {
        if (turn !== this.#turn) return;
        const is_gone = error instanceof CallFailed && error.code === "conversation_not_found";
        if (is_gone) this.open = null;
        this.failure = { text: sentence(error), is_gone };
      }
    });
    if (turn === this.#turn) this.isLoading = false;
  }

  /** Ask a question; false when it was not taken, and then `refusal` says why. */
  async ask(text: string): Promise<boolean> {
    const id = this.#id;
    const parent = this.entries.findLast((entry) => entry.message !== null)?.id ?? null;
    this.refusal = null;
    return this.#asking(async () => {
      try {
        const asked = await (id === null ? calls.begin(text) : calls.ask(id, text, parent));
        list.put(asked.conversation);
        if (this.#id === id) this.#take(id, asked);
        return true;
      } catch (error) {
        if (this.#id === id) this.refusal = refused(error);
        return false;
      }
    });
  }

  /** Ask for an answer to a question that stands there. */
  async answer(question: string): Promise<void> {
    const open = this.open;
    if (open === null || this.isAsking) return;
    await this.#asking(async () => {
      try {
        const reply = await calls.answer(open.conversation.id, question);
        this.leaf = null;
        if (this.open) began(this.open, reply, Date.now());
      } catch (error) {
        const problem = refused(error);
        open.troubles.set(question, problem);
        notices.say(problem.message);
      }
    });
  }

  async stop(): Promise<void> {
    const id = this.#id;
    if (id === null || !this.open?.reply) return;
    try {
      await calls.stop(id);
    } catch (error) {
      notices.show(`The answer could not be stopped. ${sentence(error)}`);
    }
  }

  receive(event: AccountEvent): void {
    if (this.#awaited > 0) this.#early.push(event);
    else this.#apply(event);
  }

  #take(id: string | null, asked: Asked): void {
    if (id === null) {
      this.#id = asked.conversation.id;
      this.open = { ...opened({ conversation: asked.conversation, messages: [], reply: null }, Date.now()), troubles: new SvelteMap() };
    }
    if (this.open !== null) {
      this.open.conversation = asked.conversation;
      add(this.open, asked.message);
      began(this.open, asked.reply, Date.now());
    }
    this.leaf = null;
    if (id === null) router.go(pathOf(asked.conversation.id));
  }

  #apply(event: AccountEvent): void {
    const open = this.open;
    if (open === null) return;
    if (event.type === "conversation_removed" && event.id === open.conversation.id) {
      notices.show("This conversation was deleted.");
      router.go("/chat", { replace: true });
      return;
    }
    if (apply(open, event, Date.now()) === "stale") void this.load();
    if (event.type === "reply_moved" && open.reply?.id === event.id) this.#sayWhere(open.reply);
    if (event.type === "reply_ended" && event.conversation === open.conversation.id) {
      notices.say(event.error?.message ?? endingNote(event.message?.ending ?? null) ?? "Answer ready.");
    }
  }

  #sayWhere(reply: Reply): void {
    const said = this.#voice.says(reply, Date.now());
    if (said !== null) notices.say(said);
  }

  async #asking<T>(what: () => Promise<T>): Promise<T> {
    const loads = this.#loads;
    this.isAsking = true;
    try {
      return await this.#awaiting(what);
    } finally {
      this.isAsking = false;
      // The stream began while this was asked: what it did not tell is in neither of the two answers for certain.
      if (loads !== this.#loads) void this.load();
    }
  }

  async #awaiting<T>(what: () => Promise<T>): Promise<T> {
    this.#awaited += 1;
    try {
      return await what();
    } finally {
      this.#awaited -= 1;
      if (this.#awaited === 0) for (const event of this.#early.splice(0)) this.receive(event);
    }
  }
}

function refused(error: unknown): Trouble {
  const failed = error instanceof CallFailed ? error : null;
  return trouble(
    { code: failed?.code ?? "internal_error", message: sentence(error), retry_after_s: failed?.retryAfterS ?? null },
    Date.now(),
  );
}

export const chat = new Chat();
