// A thread that stays at its newest line while it grows, as long as the reader is there; and leaves them alone when
// they are not.
import type { Attachment } from "svelte/attachments";

const NEAR_PX = 64;
const SETTLING_FRAMES = 12;

export class Stick {
  isAtEnd = $state(true);
  #frame: Element | null = null;

  /** For the element that scrolls; its first child is what grows. */
  readonly attach: Attachment = (frame) => {
    this.#frame = frame;
    let last_top = frame.scrollTop;
    const look = () => {
      const is_near = frame.scrollHeight - frame.scrollTop - frame.clientHeight < NEAR_PX;
      // What grows is no move of the reader: only going up leaves the end.
      if (is_near) this.isAtEnd = true;
      else if (frame.scrollTop < last_top - 1) this.isAtEnd = false;
      last_top = frame.scrollTop;
    };
    const watcher = new ResizeObserver(() => {
      if (this.isAtEnd) this.#toEnd();
      else look();
    });
    watcher.observe(frame);
    if (frame.firstElementChild) watcher.observe(frame.firstElementChild);
    // Whoever unfolds something wants to read that, not to be carried past it.
    const unfold = (event: Event) => {
      if (event.target instanceof Element && event.target.closest("summary")) this.isAtEnd = false;
    };
    frame.addEventListener("scroll", look, { passive: true });
    frame.addEventListener("click", unfold);
    return () => {
      watcher.disconnect();
      frame.removeEventListener("scroll", look);
      frame.removeEventListener("click", unfold);
    };
  };

  /** Go to the newest line and stay there. */
  follow(): void {
    this.isAtEnd = true;
    this.#toEnd();
  }

  /** Stay where the reader is sent. */
  release(): void {
    this.isAtEnd = false;
  }

  /** Bring `entry` into view. What was never seen has a guessed height, so one jump is not enough. */
  show(entry: Element, frames = SETTLING_FRAMES): void {
    this.release();
    const before = entry.getBoundingClientRect().top;
    entry.scrollIntoView({ block: entry.clientHeight > innerHeight / 2 ? "start" : "center" });
    const has_moved = Math.abs(entry.getBoundingClientRect().top - before) > 1;
    if (frames > 0) requestAnimationFrame(() => this.show(entry, has_moved ? frames - 1 : Math.min(frames - 1, 1)));
  }

  #toEnd(): void {
    if (this.#frame) this.#frame.scrollTop = this.#frame.scrollHeight;
  }
}
