// Where we are: /chat, or /chat/{id}, perhaps with the message that a search found (#m-{id}).

class Router {
  id = $state<string | null>(null);
  message = $state<string | null>(null);

  constructor() {
    addEventListener("popstate", () => this.#read());
    this.#read();
  }

  go(path: string, { replace = false } = {}): void {
    if (path !== location.pathname + location.hash) history[replace ? "replaceState" : "pushState"](null, "", path);
    this.#read();
  }

  /** For links: stays on the page unless the reader asked for a tab or a window of its own. */
  follow = (event: MouseEvent): void => {
    const link = event.currentTarget as HTMLAnchorElement;
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.go(link.pathname + link.hash);
  };

  #read(): void {
    const [, id] = /^\/chat\/([^/]+)$/.exec(location.pathname) ?? [];
    this.id = id === undefined ? null : decodeURIComponent(id);
    this.message = location.hash.startsWith("#m-") ? location.hash.slice(3) : null;
  }
}

export const router = new Router();

export function pathOf(id: string, message: string | null = null): string {
  return `/chat/${encodeURIComponent(id)}${message === null ? "" : `#m-${message}`}`;
}
