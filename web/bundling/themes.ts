// The pages' tokens follow the system's light and dark. Here a person can also choose, so the same two sets of values
// are given names. They are read from the one file: a colour that changes there changes here.
import type { Plugin } from "vite";

const LIGHT = /:root\s*\{([^}]*)\}/;
const DARK = /@media\s*\(prefers-color-scheme:\s*dark\)\s*\{\s*:root\s*\{([^}]*)\}/;

/** `css` with `data-theme` selectors for its two sets of values. */
export function named(css: string): string {
  const light = LIGHT.exec(css)?.[1];
  const dark = DARK.exec(css)?.[1];
  if (light === undefined || dark === undefined) throw new Error("tokens.css: its light and its dark :root were not found");
  return `${css}
:root[data-theme="light"] {${light}color-scheme: light;}
:root[data-theme="dark"] {${dark}color-scheme: dark;}
`;
}

export function themes(): Plugin {
  return {
    name: "themes",
    enforce: "pre",
    transform(code, id) {
      return id.endsWith("/pages/tokens.css") ? { code: named(code), map: null } : undefined;
    },
  };
}
