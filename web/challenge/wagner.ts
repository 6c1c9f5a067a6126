// Solves the `wagner` puzzle: of 2^18 words of 68 bits, eight that are zero together. What a solution is stands in
// src/tidegate/core/challenge/wagner.py, which checks it. Three rounds: what may meet is gathered in buckets of about 512,
// written one after the other and small enough for the nearest cache, and in each bucket chains find what does meet.
//
// Made for compilers and processors: lists are constants of the module (a quarter less time than as fields of an object),
// what is read together lies together, and chains are not followed to their ends one by one. Where each ends cannot be
// guessed, and a wrong guess costs a processor as much as a pair. So whoever is next in a chain goes to the end of a queue.
import { begin, hash, hashed } from "./rounds.ts";

const BITS = 17; // on which a pair meets: a quarter of 68
const PLACES = 2 << BITS;
const MASK = (1 << BITS) - 1;
const FINE = 8; // bits of a key that tell apart within a bucket
const FINE_MASK = (1 << FINE) - 1;
const BUCKETS = 1 << (BITS - FINE);
const ROOM = 704; // of each bucket: 512 on average, and more than this never, for all that anybody will see
const SLOT = 10; // bits of a place in a bucket
const SLOT_MASK = (1 << SLOT) - 1;
const QUEUED = 4096; // pairs in a bucket: 512 on average, and again never more
const WHOLE_MASK = 4095; // bits that tell apart in the last round, where few meet

// How many each bucket of each round holds.
const leaves = new Int32Array(BUCKETS);
const pairs = new Int32Array(BUCKETS);
const fours = new Int32Array(BUCKETS);
// Words without the bits that found their bucket. Three numbers each: the lower 32 bits of what is left after the key;
// what is left above the last of the key, which stands in the lowest bits; place, or bucket, one, other.
const leaf = new Int32Array(BUCKETS * ROOM * 3);
const pair = new Int32Array(BUCKETS * ROOM * 3);
const four = new Int32Array(BUCKETS * ROOM * 2); // with nothing left for the first
// Within a bucket: the last of each key, who came before whom with the same, pairs that are still to be looked at.
const last = new Int16Array(1 << FINE);
const before = new Int16Array(ROOM);
const queue = new Int32Array(QUEUED + 1);
const lastWhole = new Int16Array(WHOLE_MASK + 1);

/** Every solution of one nonce: eight places each. */
export function solve(seed: Uint32Array, nonce: number): number[][] {
  leaves.fill(0);
  pairs.fill(0);
  fours.fill(0);
  begin(seed, nonce);
  for (let group = 0; 3 * group < PLACES; ) {
    for (let at = 0; at < hashed.length; at += 8) hash(group++, at);
    gather(group - hashed.length / 8);
  }
  for (let bucket = 0; bucket < BUCKETS; bucket++) meetInPairs(bucket);
  for (let bucket = 0; bucket < BUCKETS; bucket++) meetInFours(bucket);
  const found: number[][] = [];
  for (let bucket = 0; bucket < BUCKETS; bucket++) meet(bucket, found);
  return found;
}

/** Three words of each digest, the first of them of this group. */
function gather(group: number): void {
  let place = 3 * group;
  for (let at = 0; at < hashed.length; at += 8, place += 3) {
    const w2 = hashed[at + 2]!, w3 = hashed[at + 3]!, w4 = hashed[at + 4]!;
    put(place, hashed[at]!, hashed[at + 1]!, w2);
    put(place + 1, (w2 >>> 16) | (w3 << 16), (w3 >>> 16) | (w4 << 16), w4 >>> 16);
    put(place + 2, hashed[at + 5]!, hashed[at + 6]!, hashed[at + 7]!);
  }
}

/** Keep the lowest 68 bits of 80. */
function put(place: number, low: number, middle: number, high: number): void {
  const bucket = (low & MASK) >>> FINE;
  const slot = leaves[bucket]!;
  if (slot === ROOM || place >= PLACES) return;
  leaves[bucket] = slot + 1;
  const at = (bucket * ROOM + slot) * 3;
  const top = high & ((1 << (4 * BITS - 64)) - 1);
  leaf[at] = (low >>> BITS) | (middle << (32 - BITS));
  leaf[at + 1] = (((middle >>> BITS) | (top << (32 - BITS))) << FINE) | (low & FINE_MASK);
  leaf[at + 2] = place;
}

/** Chain what lies in `list` from `start` on and has the same key, and queue whoever has one before it. */
function chain(list: Int32Array, start: number, count: number): number {
  last.fill(-1);
  let queued = 0;
  for (let other = 0, at = start + 1; other < count; other++, at += 3) {
    const key = list[at]! & FINE_MASK;
    const one = last[key]!;
    last[key] = other;
    before[other] = one;
    queue[queued] = (other << 16) | (one & 0xffff);
    queued += 1 + (one >> 31); // -1 is nobody
  }
  return queued;
}

function meetInPairs(bucket: number): void {
  const start = 3 * bucket * ROOM;
  let queued = chain(leaf, start, leaves[bucket]!);
  for (let turn = 0; turn < queued; turn++) {
    const both = queue[turn]!;
    const other = both >>> 16, one = both & 0xffff;
    const next = before[one]!;
    queue[queued] = (other << 16) | (next & 0xffff);
    if (queued < QUEUED) queued += 1 + (next >> 31);
    const left = start + 3 * one, right = start + 3 * other;
    const lows = leaf[left]! ^ leaf[right]!;
    const highs = (leaf[left + 1]! ^ leaf[right + 1]!) >>> FINE;
    const to = (lows & MASK) >>> FINE;
    const slot = pairs[to]!;
    if (slot === ROOM) continue;
    pairs[to] = slot + 1;
    const at = (to * ROOM + slot) * 3;
    pair[at] = (lows >>> BITS) | (highs << (32 - BITS));
    pair[at + 1] = ((highs >>> BITS) << FINE) | (lows & FINE_MASK);
    pair[at + 2] = (bucket << (2 * SLOT)) | (one << SLOT) | other;
  }
}

function meetInFours(bucket: number): void {
  const start = 3 * bucket * ROOM;
  let queued = chain(pair, start, pairs[bucket]!);
  for (let turn = 0; turn < queued; turn++) {
    const both = queue[turn]!;
    const other = both >>> 16, one = both & 0xffff;
    const next = before[one]!;
    queue[queued] = (other << 16) | (next & 0xffff);
    if (queued < QUEUED) queued += 1 + (next >> 31);
    const left = start + 3 * one, right = start + 3 * other;
    const lows = pair[left]! ^ pair[right]!;
    const highs = (pair[left + 1]! ^ pair[right + 1]!) >>> FINE;
    const to = (lows & MASK) >>> FINE;
    const slot = fours[to]!;
    if (slot === ROOM) continue;
    fours[to] = slot + 1;
    const at = (to * ROOM + slot) * 2;
    four[at] = (((lows >>> BITS) | (highs << (32 - BITS))) << FINE) | (lows & FINE_MASK);
    four[at + 1] = (bucket << (2 * SLOT)) | (one << SLOT) | other;
  }
}

function meet(bucket: number, found: number[][]): void {
  const start = 2 * bucket * ROOM;
  const count = fours[bucket]!;
  lastWhole.fill(-1);
  for (let other = 0, at = start; other < count; other++, at += 2) {
    const value = four[at]!;
    const key = value & WHOLE_MASK;
    const first = lastWhole[key]!;
    for (let one = first; one >= 0; one = before[one]!) {
      if (four[start + 2 * one] === value) whole(four[start + 2 * one + 1]!, four[at + 1]!, found);
    }
    before[other] = first;
    lastWhole[key] = other;
  }
}

function whole(one: number, other: number, found: number[][]): void {
  const places = joined(placesOfFour(one), placesOfFour(other));
  // Two fours may share a word, which cancels itself: that is no solution.
  if (new Set(places).size === 8) found.push(places);
}

function placesOfFour(from: number): number[] {
  const start = (from >>> (2 * SLOT)) * ROOM;
  const one = pair[3 * (start + ((from >>> SLOT) & SLOT_MASK)) + 2]!;
  return joined(placesOfPair(one), placesOfPair(pair[3 * (start + (from & SLOT_MASK)) + 2]!));
}

function placesOfPair(from: number): number[] {
  const start = (from >>> (2 * SLOT)) * ROOM;
  return joined([leaf[3 * (start + ((from >>> SLOT) & SLOT_MASK)) + 2]!], [leaf[3 * (start + (from & SLOT_MASK)) + 2]!]);
}

/** The smaller first place stands left. */
function joined(one: number[], other: number[]): number[] {
  return one[0]! < other[0]! ? [...one, ...other] : [...other, ...one];
}

/** One piece of the answer: the nonce and the places, as hex of big-endian words. */
export function piece(nonce: number, places: number[]): string {
  return [nonce, ...places].map((word) => word.toString(16).padStart(8, "0")).join("");
}
