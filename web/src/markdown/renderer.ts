// Writes an answer into the page while it comes: nodes are only ever added, never parsed from a string, and nothing
// is fetched. Images stay words: a remote image's address is a way to carry a conversation out.
import * as smd from "streaming-markdown";

import { codeBlock } from "./code.ts";
import { allowed } from "./links.ts";

interface Data {
  /** The open elements; text goes into the last. */
  open: Element[];
  /** How deep the last heading was. */
  heading: number;
}

const PLAIN: Partial<Record<smd.Token, string>> = {
  [smd.BLOCKQUOTE]: "blockquote",
  [smd.PARAGRAPH]: "p",
  [smd.LINE_BREAK]: "br",
  [smd.RULE]: "hr",
  [smd.ITALIC_AST]: "em",
  [smd.ITALIC_UND]: "em",
  [smd.STRONG_AST]: "strong",
  [smd.STRONG_UND]: "strong",
  [smd.STRIKE]: "s",
  [smd.CODE_INLINE]: "code",
  [smd.RAW_URL]: "a",
  [smd.LINK]: "a",
  [smd.LIST_UNORDERED]: "ul",
  [smd.LIST_ORDERED]: "ol",
  [smd.LIST_ITEM]: "li",
  [smd.EQUATION_BLOCK]: "p",
  [smd.EQUATION_INLINE]: "span",
};

const HEADINGS: smd.Token[] = [smd.HEADING_1, smd.HEADING_2, smd.HEADING_3, smd.HEADING_4, smd.HEADING_5, smd.HEADING_6];

/** A parser that writes below `root`. */
export function writer(root: Element): smd.Parser {
  const renderer: smd.Renderer<Data> = {
    data: { open: [root], heading: 1 },
    add_token: addToken,
    end_token: endToken,
    add_text: addText,
    set_attr: setAttribute,
  };
  return smd.parser(renderer);
}

function top(data: Data): Element {
  return data.open.at(-1)!;
}

function addToken(data: Data, token: smd.Token): void {
  if (token === smd.DOCUMENT) return;
  const depth = HEADINGS.indexOf(token);
  data.open.push(depth === -1 ? element(top(data), token) : heading(data, depth + 2));
}

/** The page's own heading is the conversation's title, so an answer's begin one below; and none leaves one out. */
function heading(data: Data, level: number): Element {
  data.heading = Math.min(level, data.heading + 1, 6);
  return child(top(data), `h${data.heading}`);
}

function element(parent: Element, token: smd.Token): Element {
  switch (token) {
    case smd.CODE_BLOCK:
    case smd.CODE_FENCE:
      return codeBlock(parent);
    case smd.TABLE:
      return child(scrollable(parent), "table");
    case smd.TABLE_ROW:
      return child(parent.querySelector(":scope > thead") === null ? child(parent, "thead") : body(parent), "tr");
    case smd.TABLE_CELL:
      return cell(parent);
    case smd.CHECKBOX:
      return checkbox(parent);
    case smd.IMAGE: {
      const words = child(parent, "span");
      words.className = "image";
      words.append("[image");
      return words;
    }
    default: {
      const plain = child(parent, PLAIN[token] ?? "span");
      if (token === smd.EQUATION_BLOCK || token === smd.EQUATION_INLINE) plain.className = "equation";
      return plain;
    }
  }
}

function addText(data: Data, text: string): void {
  const at = top(data);
  if (at.className === "image" && at.childNodes.length === 1) at.append(": ");
  at.append(text);
}

function endToken(data: Data): void {
  const closed = data.open.pop();
  if (closed?.className === "image") closed.append("]");
}

function setAttribute(data: Data, attribute: smd.Attr, value: string): void {
  const at = top(data);
  if (attribute === smd.HREF) link(at, value);
  else if (attribute === smd.LANG) codeLanguage(at, value);
  else if (attribute === smd.START) at.setAttribute("start", value);
  else if (attribute === smd.CHECKED) at.setAttribute("checked", "");
  // SRC is never set: see the head of this file.
}

function link(at: Element, value: string): void {
  const address = allowed(value);
  if (address === null) {
    at.className = "blocked";
    at.setAttribute("title", "This link leads nowhere: only web and mail addresses are allowed here.");
    return;
  }
  at.setAttribute("href", address);
  if (address.startsWith("#")) return;
  at.setAttribute("target", "_blank");
  at.setAttribute("rel", "noopener noreferrer nofollow");
  // The words are the model's. Where they really lead is for the reader to see.
  at.setAttribute("title", address);
}

function codeLanguage(code: Element, value: string): void {
  const label = code.closest(".code")?.querySelector(".language");
  if (label) label.textContent = value.trim().split(/\s/)[0]!.slice(0, 30);
}

function scrollable(parent: Element): Element {
  const frame = child(parent, "div");
  frame.className = "wide";
  // What scrolls must be reachable without a mouse.
  frame.setAttribute("tabindex", "0");
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", "Table");
  return frame;
}

function body(table: Element): Element {
  return table.querySelector(":scope > tbody") ?? child(table, "tbody");
}

function cell(row: Element): Element {
  if (row.parentElement?.tagName !== "THEAD") return child(row, "td");
  const head = child(row, "th");
  head.setAttribute("scope", "col");
  return head;
}

function checkbox(parent: Element): Element {
  const box = child(parent, "input");
  box.setAttribute("type", "checkbox");
  box.setAttribute("disabled", "");
  box.setAttribute("aria-label", "Task");
  return box;
}

function child(parent: Element, tag: string): Element {
  return parent.appendChild(document.createElement(tag));
}
