// What the server tells, to whom it concerns; and what is asked for anew when something may have been missed.
import { useLeaving } from "../api/client.ts";
import type { AccountEvent } from "../api/types.ts";
import { Share } from "../stream/share.ts";
import { chat } from "./chat.svelte.ts";
import { drafts } from "./drafts.svelte.ts";
import { list } from "./list.svelte.ts";
import { session } from "./session.svelte.ts";

// How long the first state waits for the stream. With the stream open first nothing falls between the two.
const STREAM_FIRST_MS = 1_000;
// When to look whether the session is over, after another tab said that it signs out.
const LEAVING_MS = [300, 1_500, 5_000];

class Live {
  isUp = $state(true);
  /** Whether the first state has been asked for. */
  hasBegun = $state(false);
  #share: Share | null = null;
  #email = "";
  #isLooking = false;

  async start(): Promise<void> {
    this.#email = (await session.load()).email;
    drafts.belongTo(this.#email);
    useLeaving(() => drafts.keep());
    this.#share = new Share(this.#email, {
      receive: (event) => this.#receive(event),
      isUp: (is_up) => (this.isUp = is_up),
      isSignedIn: () => this.#look(),
      missed: () => this.#renew(),
      left: () => this.#lookSoon(),
    });
    setTimeout(() => this.hasBegun || this.#renew(), STREAM_FIRST_MS);
    this.#share.start();
  }

  leave(): void {
    drafts.leave();
    this.#share?.leave();
  }

  #receive(event: AccountEvent): void {
    if (event.type === "hello") this.#renew();
    else if (event.type === "message_added" || event.type === "conversation_changed") list.put(event.conversation);
    chat.receive(event);
    if (event.type === "conversation_removed") list.drop(event.id);
  }

  #renew(): void {
    // At the start the session is fresh.
    if (this.hasBegun) void this.#look().catch(() => undefined); // when the server is out of reach, the stream says so
    this.hasBegun = true;
    void list.load();
    void chat.load();
  }

  /** Learn who is signed in. Nobody: this leaves for the sign-in page by itself. Somebody else: begin anew. */
  async #look(): Promise<void> {
    if ((await session.load()).email !== this.#email) location.assign("/chat");
  }

  #lookSoon(): void {
    drafts.leave();
    // A stream of somebody else's may tell us a hundred times a second that it is not ours.
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const ms of LEAVING_MS) setTimeout(() => void this.#look().catch(() => undefined), ms);
    setTimeout(() => (this.#isLooking = false), Math.max(...LEAVING_MS));
  }
}

export const live = new Live();
