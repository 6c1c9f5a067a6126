// A block of code: its language, a button that copies it, and the code itself, which scrolls.
import { copy } from "./copy.ts";

/** Add an empty block below `parent`; the element that takes the code comes back. */
export function codeBlock(parent: Element): Element {
  const block = document.createElement("div");
  block.className = "code";
  const head = document.createElement("div");
  head.className = "code-head";
  const language = document.createElement("span");
  language.className = "language";
  language.textContent = "code";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy code");
  head.append(language, button);
  const frame = document.createElement("pre");
  frame.tabIndex = 0;
  const code = document.createElement("code");
  frame.append(code);
  block.append(head, frame);
  parent.append(block);
  button.addEventListener("click", () => void press(button, code));
  return code;
}

async function press(button: HTMLButtonElement, code: Element): Promise<void> {
  const is_copied = await copy(code.textContent ?? "");
  button.textContent = is_copied ? "Copied" : "Could not copy";
  setTimeout(() => (button.textContent = "Copy"), 2_000);
}
