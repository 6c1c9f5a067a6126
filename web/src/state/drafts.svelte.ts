// What was written and not sent, by conversation ("" for a new one).
//
// It lives in memory, with one exception: when the session was ended elsewhere, this tab must leave for the sign-in
// page, and what was typed waits in its sessionStorage. It is taken out at the next start, given back to the same
// account only, and wiped with everything else when somebody signs out (Clear-Site-Data).
import { SvelteMap } from "svelte/reactivity";

interface Kept {
  email: string;
  texts: [string, string][];
}

const KEY = "drafts";

class Drafts extends SvelteMap<string, string> {
  #email = "";
  #isLeft = false;

  /** Whoever this is gets back what they wrote before they had to sign in again. */
  belongTo(email: string): void {
    this.#email = email;
    const kept = taken();
    if (kept?.email !== email) return;
    for (const [key, text] of kept.texts) if (!this.has(key)) this.set(key, text);
  }

  /** Somebody is signing out by their own wish: nothing is kept. */
  leave(): void {
    this.#isLeft = true;
  }

  /** Keep what was written, just before this tab leaves for the sign-in page. */
  keep(): void {
    const texts = [...this].filter(([, text]) => text.trim() !== "");
    if (this.#isLeft || this.#email === "" || texts.length === 0) return;
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ email: this.#email, texts } satisfies Kept));
    } catch {
      // A browser that keeps nothing.
    }
  }
}

function taken(): Kept | null {
  try {
    const kept = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return kept === null ? null : (JSON.parse(kept) as Kept);
  } catch {
    return null;
  }
}

export const drafts = new Drafts();
