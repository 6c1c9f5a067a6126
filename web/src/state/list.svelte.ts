// The conversations at the side: what is known of them, and the ones that are about to be deleted.
import { SvelteSet } from "svelte/reactivity";

import * as calls from "../api/calls.ts";
import { CallFailed } from "../api/client.ts";
import type { Conversation } from "../api/types.ts";
import { extend, renew, upsert } from "../chat/days.ts";
import { notices, sentence } from "./notices.svelte.ts";
import { pathOf, router } from "./router.svelte.ts";

const UNDO_MS = 9_000;

class List {
  known = $state.raw<Conversation[]>([]);
  hasMore = $state(false);
  isLoaded = $state(false);
  isLoading = $state(false);
  failure = $state<string | null>(null);
  readonly #leaving = new SvelteSet<string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  shown = $derived(this.known.filter((conversation) => !this.#leaving.has(conversation.id)));

  constructor() {
    addEventListener("pagehide", () => {
      for (const id of [...this.#timers.keys()]) {
        clearTimeout(this.#timers.get(id));
        this.#timers.delete(id);
        calls.removeAndLeave(id);
      }
    });
  }

  async load(): Promise<void> {
    await this.#get(async () => {
      const first = await calls.conversations();
      const had_more = this.hasMore;
      this.known = renew(this.known, first);
      // What is known may already go further back than the first page.
      this.hasMore = first.has_more && (this.known.length <= first.data.length || had_more);
      this.isLoaded = true;
    });
  }

  async more(): Promise<void> {
    const oldest = this.known.at(-1);
    if (!this.hasMore || this.isLoading || oldest === undefined) return;
    await this.#get(async () => {
      const page = await calls.conversations(oldest.updated_at_s);
      this.known = extend(this.known, page);
      this.hasMore = page.has_more;
    });
  }

  put(conversation: Conversation): void {
    this.known = upsert(this.known, conversation);
  }

  drop(id: string): void {
    this.known = this.known.filter((conversation) => conversation.id !== id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#leaving.delete(id);
  }

  async rename(conversation: Conversation, title: string): Promise<void> {
    this.put({ ...conversation, title });
    try {
      this.put(await calls.rename(conversation.id, title));
    } catch (error) {
      this.put(conversation);
      notices.show(sentence(error));
    }
  }

  /** Hide at once, and leave it when it is open; delete when the time to undo is over. */
  remove(conversation: Conversation): void {
    const { id } = conversation;
    const was_open = router.id === id;
    this.#leaving.add(id);
    if (was_open) router.go("/chat");
    const close = notices.show(
      `“${conversation.title}” was deleted.`,
      { label: "Undo", run: () => this.#keep(id, was_open) },
      UNDO_MS + 1_000,
    );
    this.#timers.set(
      id,
      setTimeout(() => {
        close();
        void this.#delete(id);
      }, UNDO_MS),
    );
  }

  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  #keep(id: string, was_open: boolean): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#leaving.delete(id);
    notices.say("The conversation is back.");
    // Whoever went elsewhere in the meantime stays there.
    if (was_open && router.id === null) router.go(pathOf(id));
  }

  async #delete(id: string): Promise<void> {
    this.#timers.delete(id);
    try {
      await calls.remove(id);
      this.drop(id);
    } catch (error) {
      if (error instanceof CallFailed && error.code === "conversation_not_found") return this.drop(id);
      this.#leaving.delete(id);
      notices.show(`The conversation could not be deleted. ${sentence(error)}`);
    }
  }

  async #get(what: () => Promise<void>): Promise<void> {
    this.isLoading = true;
    try {
      await what();
      this.failure = null;
    } catch (error) {
      this.failure = sentence(error);
    } finally {
      this.isLoading = false;
    }
  }
}

export const list = new List();
