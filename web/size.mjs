// What a first visit to the chat loads: `npm run build && npm run size`. Fails when that is too much.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const DIST = new URL("../src/tidegate/http/web/dist/", import.meta.url);
const ICON = new URL("../src/tidegate/http/pages/icon.svg", import.meta.url);
const MOST_BYTES = 60_000;
const MOST_REQUESTS = 10;
// Answers of a server with thirty conversations, measured at dev/mock.mjs: what they weigh depends on the person.
const CALLS = { "/api/session": 250, "/api/events": 40, "/api/conversations": 1_400, "/api/conversations/{id}": 4_000 };

const page = readFileSync(new URL("index.html", DIST), "utf8");
const named = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+|manifest\.webmanifest)"/g)].map((match) => match[1]);
const files = ["index.html", ...named].map((name) => [name, readFileSync(new URL(`${name}.gz`, DIST)).length]);
if (existsSync(fileURLToPath(ICON))) files.push(["icon.svg", gzipSync(readFileSync(ICON)).length]);

const all = [...files, ...Object.entries(CALLS)];
const bytes = all.reduce((sum, [, size]) => sum + size, 0);
for (const [name, size] of all) console.log(`${String(size).padStart(7)}  ${name}`);
console.log(`${String(bytes).padStart(7)}  bytes gzip in ${all.length} requests (at most ${MOST_BYTES} in ${MOST_REQUESTS})`);
if (bytes > MOST_BYTES || all.length > MOST_REQUESTS) process.exit(1);
