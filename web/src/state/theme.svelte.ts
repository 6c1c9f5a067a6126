// Light, dark, or as the system has it. The choice is a cookie, so that the server's own pages follow it too.

export type Theme = "auto" | "light" | "dark";

const NAME = "tidegate-theme";
const YEAR_S = 31_536_000;

class Themes {
  chosen = $state<Theme>(remembered());

  constructor() {
    this.#show();
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    const [value, lasts_s] = theme === "auto" ? ["", 0] : [theme, YEAR_S];
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${NAME}=${value}; Path=/; Max-Age=${lasts_s}; SameSite=Lax${secure}`;
    this.#show();
  }

  #show(): void {
    if (this.chosen === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.chosen;
  }
}

function remembered(): Theme {
  const [, theme] = /(?:^|; )tidegate-theme=(light|dark)(?:;|$)/.exec(document.cookie) ?? [];
  return (theme as Theme | undefined) ?? "auto";
}

export const theme = new Themes();
