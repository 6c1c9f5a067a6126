import assert from "node:assert/strict";
import { test } from "node:test";

import { allowed } from "./links.ts";

for (const [address, expected] of [
  ["https://example.org/a?b=c#d", "https://example.org/a?b=c#d"],
  ["HTTP://EXAMPLE.org", "http://example.org/"],
  ["mailto:ana@example.org", "mailto:ana@example.org"],
  ["#place-2", "#place-2"],
  ['https://example.org/a "A title"', "https://example.org/a"],
  ["<https://example.org/a>", "https://example.org/a"],
] as const) {
  test(`${address} may be followed`, () => assert.equal(allowed(address), expected));
}

for (const address of [
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  " javascript:alert(1)",
  "java\tscript:alert(1)",
  "java\nscript:alert(1)",
  "\u0001javascript:alert(1)",
  "<javascript:alert(1)>",
  "data:text/html,<script>1</script>",
  "vbscript:x",
  "file:///etc/passwd",
  "blob:https://example.org/1",
  "filesystem:https://example.org/1",
  "/account",
  "//example.org",
  "chat",
  "#<script>",
  "https://bank.example@example.org/",
  "",
]) {
  test(`${JSON.stringify(address)} leads nowhere`, () => assert.equal(allowed(address), null));
}
