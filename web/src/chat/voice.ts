// What whoever hears the page instead of seeing it is told of the line: where an answer stands when that is first
// known, when it is next, and now and then between.
import type { Reply } from "../api/types.ts";
import { lineWords } from "./words.ts";

const EVERY_MS = 15_000;

export class Voice {
  #reply = "";
  #position = 0;
  #at = 0;

  /** What is to be said by now of where `reply` stands; null where that is nothing new, or too soon. */
  says(reply: Pick<Reply, "id" | "position" | "wait_s">, now: number): string | null {
    const position = reply.position ?? null;
    const isKnown = reply.id === this.#reply;
    if (position === null) {
      // Its turn has come. Should it be set aside, it stands somewhere anew.
      if (isKnown) this.#reply = "";
      return null;
    }
    if (isKnown && (position === this.#position || (position > 1 && now - this.#at < EVERY_MS))) return null;
    this.#reply = reply.id;
    this.#position = position;
    this.#at = now;
    return lineWords(position, reply.wait_s ?? null);
  }
}
