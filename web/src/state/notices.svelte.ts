// Short messages at the page's edge, and what a screen reader is told.

export interface Notice {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 6_000;

class Notices {
  shown = $state<Notice[]>([]);
  /** The last thing said aloud; the number makes the same words be said twice. */
  said = $state({ text: "", times: 0 });
  #last = 0;

  /** Show `text` for a while; the way to take it back comes back. */
  show(text: string, action?: Notice["action"], shownMs = SHOWN_MS): () => void {
    const id = ++this.#last;
    const drop = () => void (this.shown = this.shown.filter((notice) => notice.id !== id));
    const timer = setTimeout(drop, shownMs);
    const close = () => {
      clearTimeout(timer);
      drop();
    };
    const run = action?.run;
    this.shown.push({ id, text, action: action && run ? { label: action.label, run: () => (close(), run()) } : undefined });
    return close;
  }

  say(text: string): void {
    this.said = { text, times: this.said.times + 1 };
  }
}

export const notices = new Notices();

/** The sentence of anything that went wrong. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : "Something went wrong.";
}
