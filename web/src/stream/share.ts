// One stream for all tabs: a browser opens six HTTP/1.1 connections to a host, and a stream holds one for ever.
//
// The tab that holds the lock has the stream and tells the others on a channel; when it closes, the browser gives the
// lock to the next. (Who holds a lock is not frozen in the background.) Where there are no locks, that is over plain
// HTTP from another machine, each tab has its own stream while it is seen.
import type { AccountEvent } from "../api/types.ts";
import { type Ears, Link } from "./link.ts";

type Told =
  | { kind: "event"; account: string; event: AccountEvent }
  | { kind: "link"; account: string; is_up: boolean }
  | { kind: "looked"; account: string }
  | { kind: "left" };

export interface Listener extends Ears {
  /** Another tab has the stream, or this one was not listening: ask for everything anew. */
  missed: () => void;
  /** Another tab signed out, or signed in as somebody else. */
  left: () => void;
}

export class Share {
  readonly #account: string;
  readonly #listener: Listener;
  readonly #channel = new BroadcastChannel("tidegate");
  readonly #link: Link;
  readonly #lock: string;
  #is_up = true;

  constructor(account: string, listener: Listener) {
    this.#account = account;
    this.#listener = listener;
    // Of each account: whoever signs in as somebody else waits for no tab that is left over.
    this.#lock = `tidegate-events ${account}`;
    this.#channel.onmessage = (message: MessageEvent<Told>) => this.#heard(message.data);
    this.#link = new Link({
      receive: (event) => {
        this.#channel.postMessage({ kind: "event", account, event } satisfies Told);
        listener.receive(event);
      },
      isUp: (is_up) => {
        this.#channel.postMessage({ kind: "link", account, is_up } satisfies Told);
        this.#turned(is_up);
      },
      isSignedIn: listener.isSignedIn,
    });
  }

  start(): void {
    // The tab that has the stream may be one that nobody looks at.
    for (const act of ["focus", "pointerdown", "keydown"]) addEventListener(act, this.#looked, { passive: true });
    document.addEventListener("visibilitychange", this.#looked);
    if ("locks" in navigator) void this.#lead();
    else this.#onMyOwn();
  }

  /** Tell the other tabs that this one is signing out. */
  leave(): void {
    this.#channel.postMessage({ kind: "left" } satisfies Told);
  }

  async #lead(): Promise<void> {
    const forEver = () => {
      this.#link.open();
      return new Promise<never>(() => undefined);
    };
    await navigator.locks.request(this.#lock, { ifAvailable: true }, (lock) => (lock === null ? undefined : forEver()));
    this.#listener.missed();
    // What the leader told while this tab was frozen or slow may be lost: whoever looks sees everything anew.
    document.addEventListener("visibilitychange", this.#seen);
    await navigator.locks.request(this.#lock, () => {
      document.removeEventListener("visibilitychange", this.#seen);
      return forEver();
    });
  }

  #seen = (): void => {
    if (document.visibilityState === "visible") this.#listener.missed();
  };

  #looked = (): void => {
    if (this.#is_up || document.visibilityState !== "visible") return;
    this.#link.wake();
    this.#channel.postMessage({ kind: "looked", account: this.#account } satisfies Told);
  };

  #turned(is_up: boolean): void {
    this.#is_up = is_up;
    this.#listener.isUp(is_up);
  }

  #onMyOwn(): void {
    const look = () => (document.visibilityState === "visible" ? this.#link.open() : this.#link.close());
    document.addEventListener("visibilitychange", look);
    look();
  }

  #heard(told: Told): void {
    if (told.kind === "left" || told.account !== this.#account) this.#listener.left();
    else if (!("locks" in navigator)) return;
    else if (told.kind === "event") this.#listener.receive(told.event);
    else if (told.kind === "looked") this.#link.wake();
    else this.#turned(told.is_up);
  }
}
