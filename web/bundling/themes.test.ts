import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { named } from "./themes.ts";

const TOKENS = new URL("../../src/tidegate/http/pages/tokens.css", import.meta.url);

test("both sets of values of the real tokens can be chosen by name", () => {
  const css = named(readFileSync(TOKENS, "utf8"));
  const chosen = (theme: string) => new RegExp(`:root\\[data-theme="${theme}"\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? "";
  const ink = (block: string) => /--ink:\s*([^;]+)/.exec(block)?.[1];
  assert.ok(ink(chosen("light")) && ink(chosen("dark")));
  assert.notEqual(ink(chosen("light")), ink(chosen("dark")));
});

test("tokens without two sets of values stop the build", () => {
  assert.throws(() => named(":root { --ink: #000 }"), /tokens\.css/);
});
