// For work on the page alone: serves the built files under the real policy and plays the API from memory.
//   npm run build && npm run dev            then open http://127.0.0.1:8090/chat
// What it answers depends on the question: "error", "busy", "wait", "long", "gone", "cut"; anything else shows all
// that an answer can hold, among it links and images that the page must not follow.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { EVIL, EVERYTHING, THOUGHT } from "./answers.mjs";

const DIST = fileURLToPath(new URL("../../src/tidegate/http/web/dist/", import.meta.url));
const PORT = Number(process.env.PORT ?? 8090);
const PIECE_MS = Number(process.env.PIECE_MS ?? 12);
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types svelte-trusted-html";
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".webmanifest": "application/manifest+json" };
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b6274"/>' +
  '<path d="M6 19q5-5 10 0t10 0M16 6v10" stroke="#fff" stroke-width="3" fill="none"/></svg>';

const now = () => Date.now() / 1000;
let last = 0;
const id = (kind) => `${kind}${(++last).toString().padStart(4, "0")}`;
const watching = new Set();
const conversations = new Map();
const state = { csrf: "token-1", is_protected: true, status: "none", role: "operator", isSignedIn: true, email: "ana@example.org" };

for (const [title, days] of [["How a tide gate works", 0.01], ["Letter to the landlord", 1], ["Names for a sailing boat, preferably short and easy to shout", 3], ["Recipes with leeks", 20], ["Nix or Guix?", 40]]) {
  const one = add(title, now() - days * 86400);
  one.messages.push(message(one, null, "user", title, {}), message(one, one.id + "q", "assistant", "A flap in a sea wall, mostly.", { ending: "complete" }));
  one.messages[0].id = one.id + "q";
}
for (let at = 0; at < 60; at++) add(`Older conversation ${at + 1}`, now() - (60 + at) * 86400);

function add(title, updated_at_s) {
  const one = { id: id("c"), title, created_at_s: updated_at_s, updated_at_s, messages: [], reply: null, timer: null };
  conversations.set(one.id, one);
  return one;
}

function message(one, parent, author, content, more) {
  return { id: id("m"), parent, author, content, reasoning: "", reasoning_s: null, ending: null, created_at_s: now(), ...more };
}

const body = ({ id, title, created_at_s, updated_at_s }) => ({ id, title, created_at_s, updated_at_s });
const tell = (event) => watching.forEach((to) => to.write(`data: ${JSON.stringify(event)}\n\n`));

function answer(one, question) {
  const text = question.content.toLowerCase();
  const reply = { id: id("m"), conversation: one.id, parent: question.id, state: "waiting", sequence: 0, content: "", reasoning: "", reasoning_s: null, read_tokens: null, prompt_tokens: null, position: null, wait_s: null };
  one.reply = reply;
  tell({ type: "reply_began", reply });
  const move = (to, more = {}) => {
    Object.assign(reply, { state: to, ...more });
    tell({ type: "reply_moved", id: reply.id, conversation: one.id, state: to, read_tokens: reply.read_tokens, prompt_tokens: reply.prompt_tokens });
  };
  const said = text.includes("evil") ? EVIL : text.includes("long") ? EVERYTHING.repeat(8) : EVERYTHING;
  const steps = text.includes("wait") ? Array(text.includes("slow") ? 1000 : 120).fill(() => undefined) : [];
  if (text.includes("error")) steps.push(() => end(one, null, { code: "server_is_overloaded", message: "Every place is taken. Please try again in a moment.", retry_after_s: 5 }));
  for (let read = 0; read <= 900; read += 90) steps.push(() => move("reading", { read_tokens: read, prompt_tokens: 900 }), ...Array(6).fill(() => undefined));
  for (const piece of THOUGHT.match(/\S+\s*/g)) steps.push(() => grow(one, "", piece));
  for (const [at, piece] of said.match(/[^]{1,9}/g).entries()) {
    if (text.includes("cut") && at === 30) break;
    steps.push(() => grow(one, piece, ""));
  }
  steps.push(() => end(one, text.includes("cut") ? "failed" : "complete", text.includes("cut") ? { code: "engine_failed", message: "The model broke off in the middle of this answer. Please try again.", retry_after_s: null } : null));
  one.timer = setInterval(() => steps.shift()?.(), PIECE_MS);
  return reply;
}

function grow(one, content, reasoning) {
  const { reply } = one;
  const to = content ? "writing" : "thinking";
  if (content && reply.reasoning_s === null) reply.reasoning_s = 3;
  reply.state = to;
  reply.content += content;
  reply.reasoning += reasoning;
  reply.sequence += 1;
  if (state.drops && reply.sequence % 50 === 0) return; // a piece that gets lost
  tell({ type: "reply_grew", id: reply.id, conversation: one.id, sequence: reply.sequence, content, reasoning });
}

function end(one, ending, error) {
  const { reply } = one;
  clearInterval(one.timer);
  one.reply = null;
  const { content, reasoning, reasoning_s, parent } = reply;
  const kept = ending === null || !(content || reasoning) ? null : { ...message(one, parent, "assistant", content, { reasoning, reasoning_s, ending }), id: reply.id };
  if (kept) one.messages.push(kept);
  tell({ type: "reply_ended", id: reply.id, conversation: one.id, message: kept, error });
}

function ask(one, content, parent) {
  const question = message(one, parent, "user", content, {});
  one.messages.push(question);
  one.updated_at_s = now();
  tell({ type: "message_added", conversation: body(one), message: question });
  return { conversation: body(one), message: question, reply: answer(one, question) };
}

const refuse = (status, code, text, after) => ({ status, headers: after ? { "retry-after": String(after) } : {}, json: { error: { message: text, type: "error", param: null, code } } });

function api(method, path, query, sent) {
  if (!state.isSignedIn) return refuse(401, "not_signed_in", "Please sign in first.");
  if (path === "/api/session") return { json: { email: state.email, role: state.role, csrf_token: state.csrf, is_protected: state.is_protected, model: { id: "smollm2-135m-instruct", context_tokens: 8192 }, status: state.status, status_description: state.status === "none" ? "All is well." : "The model is slower than usual: many people are asking at once." } };
  if (path === "/api/conversations" && method === "GET") {
    const before = Number(query.get("before") ?? Infinity);
    const all = [...conversations.values()].filter((one) => one.updated_at_s < before).sort((one, other) => other.updated_at_s - one.updated_at_s);
    return { json: { data: all.slice(0, 30).map(body), has_more: all.length > 30 } };
  }
  if (path === "/api/conversations") {
    if (/busy/i.test(sent.content)) return refuse(503, "server_is_overloaded", "Every place and the queue are taken. Please try again in a moment.", 4);
    const one = add(sent.content.slice(0, 60), now());
    tell({ type: "conversation_changed", conversation: body(one) });
    return { status: 201, json: ask(one, sent.content, null) };
  }
  if (path === "/api/search") {
    const words = query.get("q").toLowerCase();
    const found = [...conversations.values()].flatMap((one) => one.messages.filter((said) => said.content.toLowerCase().includes(words)).map((said) => ({ conversation: body(one), message: said.id, excerpt: said.content.slice(0, 160) })));
    return { json: { data: found.slice(0, 50) } };
  }
  const [, conversation, what] = /^\/api\/conversations\/([^/]+)\/?(\w*)$/.exec(path) ?? [];
  const one = conversations.get(conversation);
  if (one === undefined) return refuse(404, "conversation_not_found", "There is no such conversation.");
  if (what === "messages") return { status: 201, json: ask(one, sent.content, sent.parent) };
  if (what === "replies") return { status: 202, json: answer(one, one.messages.find((said) => said.id === sent.parent)) };
  if (what === "reply") {
    if (one.reply) end(one, "stopped", null);
    return { status: 204 };
  }
  if (method === "PATCH") {
    one.title = sent.title;
    tell({ type: "conversation_changed", conversation: body(one) });
    return { json: body(one) };
  }
  if (method === "DELETE") {
    conversations.delete(one.id);
    tell({ type: "conversation_removed", id: one.id });
    return { status: 204 };
  }
  return { json: { conversation: body(one), messages: one.messages, reply: one.reply } };
}

async function serve(request, response) {
  const url = new URL(request.url, "http://mock");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const send = (status, headers, content) => response.writeHead(status, { "content-security-policy": POLICY, ...headers }).end(content);
  if (url.pathname === "/mock") {
    // Turns a screw of the mock: /mock?status=major, /mock?drops=1, /mock?hangUp=1
    for (const [name, value] of url.searchParams) state[name] = value === "true" ? true : value === "false" ? false : value;
    if (url.searchParams.has("hangUp")) watching.forEach((to) => to.destroy());
    return send(204, {});
  }
  if (url.pathname === "/api/events") {
    if (!state.isSignedIn || state.deaf) return send(503, {});
    response.writeHead(200, { "content-type": "text/event-stream" }).write('data: {"type":"hello"}\n\n');
    watching.add(response);
    return response.on("close", () => watching.delete(response));
  }
  if (url.pathname.startsWith("/api/")) {
    const sent = text === "" ? null : JSON.parse(text);
    const is_true = request.method === "GET" || request.headers["x-csrf-token"] === state.csrf;
    const { status = 200, headers = {}, json } = is_true ? api(request.method, url.pathname, url.searchParams, sent) : refuse(403, "invalid_csrf_token", "This page is out of date.");
    return send(status, { "content-type": "application/json", ...headers }, json === undefined ? undefined : JSON.stringify(json));
  }
  if (url.pathname === "/icon.svg") return send(200, { "content-type": "image/svg+xml" }, ICON);
  if (url.pathname === "/sign-out") state.isSignedIn = false;
  if (!/^\/(chat|assets|manifest)/.test(url.pathname)) return send(200, { "content-type": "text/html" }, `<title>${url.pathname}</title><h1>${url.pathname}</h1>`);
  const name = url.pathname.startsWith("/chat") ? "index.html" : url.pathname;
  // Over plain HTTP browsers take no brotli.
  const [encoding, suffix] = /\bbr\b/.test(request.headers["accept-encoding"] ?? "") ? ["br", ".br"] : ["gzip", ".gz"];
  try {
    send(200, { "content-type": TYPES[extname(name)] ?? "text/plain", "content-encoding": encoding }, readFileSync(join(DIST, name + suffix)));
  } catch {
    send(404, {});
  }
}

createServer((request, response) => void serve(request, response)).listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/chat`));
