// The one connection on which the server tells what happens. Opens it, and opens it again: after a pause that grows,
// when the network is back, and when the machine was asleep (the connection is dead then, and nobody says so). One that
// had to give way to newer pages of the account comes back when somebody looks here: two dozen pages that all came back
// by themselves would chase each other.
import type { AccountEvent } from "../api/types.ts";
import { pause } from "./backoff.ts";

const WATCH_MS = 15_000;
// Background pages may be woken once a minute only; a gap beyond that is sleep.
const ASLEEP_MS = 150_000;

export interface Ears {
  receive: (event: AccountEvent) => void;
  isUp: (is_up: boolean) => void;
  /** Asked before every new try: leaves for the sign-in page when the session is over. */
  isSignedIn: () => Promise<unknown>;
}

export class Link {
  readonly #ears: Ears;
  #source: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #attempt = 0;
  #gaveWay = false;

  constructor(ears: Ears) {
    this.#ears = ears;
  }

  open(): void {
    this.close();
    addEventListener("online", this.#again);
    this.#watchForSleep();
    this.#connect();
  }

  /** Somebody looks: come back, if this one gave way. */
  wake(): void {
    if (this.#gaveWay && this.#source !== null) this.#again();
  }

  close(): void {
    removeEventListener("online", this.#again);
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #connect(): void {
    this.#source?.close();
    this.#gaveWay = false;
    const source = new EventSource("/api/events");
    this.#source = source;
    source.onmessage = (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as AccountEvent;
      if (event.type === "hello") {
        this.#attempt = 0;
        this.#ears.isUp(true);
      }
      this.#ears.receive(event);
      if (event.type === "replaced" && source === this.#source) this.#giveWay(source);
    };
    source.onerror = () => {
      // The browser's own way to come back has no jitter, and none after a refusal.
      source.close();
      if (source === this.#source) this.#later();
    };
  }

  #giveWay(source: EventSource): void {
    source.close();
    this.#gaveWay = true;
    this.#ears.isUp(false);
  }

  #later(): void {
    this.#ears.isUp(false);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#try(), pause(this.#attempt, Math.random()));
    this.#attempt += 1;
  }

  async #try(): Promise<void> {
    const source = this.#source;
    try {
      await this.#ears.isSignedIn();
    } catch {
      if (source !== null && source === this.#source) this.#later();
      return;
    }
    // Closed or opened anew in the meantime: that one counts.
    if (source !== null && source === this.#source) this.#connect();
  }

  #again = (): void => {
    clearTimeout(this.#retry);
    this.#connect();
  };

  #watchForSleep(): void {
    let awake_at = Date.now();
    this.#watch = setInterval(() => {
      if (Date.now() - awake_at > ASLEEP_MS) this.#again();
      awake_at = Date.now();
    }, WATCH_MS);
  }
}
