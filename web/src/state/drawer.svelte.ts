// The side on a narrow page: a drawer over the chat.
import { MediaQuery } from "svelte/reactivity";

class Drawer {
  isOpen = $state(false);
  readonly #narrow = new MediaQuery("max-width: 48rem");
  #opener: HTMLElement | null = null;

  get isNarrow(): boolean {
    return this.#narrow.current;
  }

  /** Whether the drawer covers the chat. */
  get isOver(): boolean {
    return this.isNarrow && this.isOpen;
  }

  show(): void {
    this.#opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    this.isOpen = true;
  }

  hide({ returnsFocus = true } = {}): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    // The chat is inert until the page has heard of it.
    if (returnsFocus) requestAnimationFrame(() => this.#opener?.focus());
  }
}

export const drawer = new Drawer();
