// Every solution is one: eight words that are zero together. That the service takes them is tested in tests/cli.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { unrolled } from "../bundling/unrolled.ts";
import { digest } from "./blake2s.ts";
import { begin, hash, hashed } from "./rounds.ts";
import { piece, solve } from "./wagner.ts";

const hex = (words: Uint32Array): string => Buffer.from(words.buffer).toString("hex");

test("it is BLAKE2s, at every length up to three blocks", () => {
  for (let length = 0; length <= 192; length++) {
    const text = "tidegate ".repeat(30).slice(0, length);
    assert.equal(hex(digest(text)), createHash("blake2s256").update(text).digest("hex"));
  }
});

test("eight places of a solution are zero together, and stand in the one order", () => {
  const seed = digest("a seed");
  const word = (nonce: number, place: number): bigint => {
    const tail = Buffer.alloc(8);
    tail.writeUInt32LE(nonce, 0);
    tail.writeUInt32LE(Math.floor(place / 3), 4);
    const made = createHash("blake2s256").update(Buffer.from(seed.buffer)).update(tail).digest();
    const at = 10 * (place % 3);
    return BigInt(`0x${Buffer.from(made.subarray(at, at + 10)).reverse().toString("hex")}`) & ((1n << 68n) - 1n);
  };
  let found = 0;
  for (let nonce = 0; nonce < 4; nonce++) {
    for (const places of solve(seed, nonce)) {
      found++;
      assert.equal(new Set(places).size, 8);
      assert.equal(places.reduce((sum, place) => sum ^ word(nonce, place), 0n), 0n);
      assert.equal(Math.min(...places), places[0]);
      assert.equal(piece(nonce, places).length, 72);
    }
  }
  assert.ok(found >= 1);
});

test("the rounds are what is written for them, and digest what BLAKE2s does", () => {
  assert.equal(readFileSync(new URL("rounds.ts", import.meta.url), "utf8"), unrolled());
  const seed = digest("another seed");
  begin(seed, 0xfedcba98);
  for (let group = 0; group < 64; group++) hash(group * 1_365, 8 * group);
  for (let group = 0; group < 64; group++) {
    const tail = Uint32Array.of(0xfedcba98, group * 1_365);
    const made = createHash("blake2s256").update(Buffer.from(seed.buffer)).update(Buffer.from(tail.buffer)).digest("hex");
    assert.equal(Buffer.from(hashed.buffer, 32 * group, 32).toString("hex"), made);
  }
});
