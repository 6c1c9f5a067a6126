// Looking for words in one's own conversations, while they are typed.
import * as calls from "../api/calls.ts";
import type { Hit } from "../api/types.ts";
import { sentence } from "./notices.svelte.ts";

const PAUSE_MS = 220;
export const MAX_QUERY = 200;

class Search {
  words = $state("");
  /** What was looked for in `hits`. */
  asked = $state("");
  hits = $state.raw<Hit[] | null>(null);
  failure = $state<string | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = new AbortController();

  get isOn(): boolean {
    return this.words.trim() !== "";
  }

  type(words: string): void {
    this.words = words;
    this.failure = null;
    clearTimeout(this.#timer);
    this.#running.abort();
    if (this.isOn) this.#timer = setTimeout(() => void this.#look(words.trim()), PAUSE_MS);
    else this.hits = null;
  }

  clear(): void {
    this.type("");
  }

  async #look(words: string): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    try {
      const found = await calls.search(words, running.signal);
      this.hits = found.data;
      this.asked = words;
    } catch (error) {
      if (!running.signal.aborted) this.failure = sentence(error);
    }
  }
}

export const search = new Search();
