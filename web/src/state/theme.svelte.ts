// Light, dark, or as the system has it. The only thing that the page keeps in the browser.

export type Theme = "auto" | "light" | "dark";

const KEY = "theme";

class Themes {
  chosen = $state<Theme>(remembered());

  constructor() {
    this.#show();
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    try {
      if (theme === "auto") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // A browser that keeps nothing: the choice holds until the page is closed.
    }
    this.#show();
  }

  #show(): void {
    if (this.chosen === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.chosen;
  }
}

function remembered(): Theme {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : "auto";
  } catch {
    return "auto";
  }
}

export const theme = new Themes();
