// Solves the `wagner` puzzle: of 2^18 words of 68 bits, eight that are zero together. What a solution is stands in
// src/tidegate/core/challenge/wagner.py, which checks it. Three rounds: what may meet is gathered in buckets of about 512,
// written one after the other and small enough for the nearest cache, and in each bucket chains find what does meet.
import { begin, compress } from "./blake2s.ts";

export const BITS = 17;

const FINE = 8; // bits of a key that tell apart within a bucket
const FINE_MASK = (1 << FINE) - 1;
const ROOM = 704; // of each bucket: 512 on average, and more than this never, for all that anybody will see
const SLOT = 10; // bits of a place in a bucket
const SLOT_MASK = (1 << SLOT) - 1;

export class Solver {
  private readonly bits: number;
  private readonly places: number;
  private readonly buckets: number;
  private readonly filled: Uint32Array;
  // Words without the bits that found their bucket: the rest, and the last of the key in the lowest bits of `…High`.
  private readonly leafLow: Uint32Array;
  private readonly leafHigh: Uint32Array;
  private readonly leafPlace: Uint32Array;
  private readonly pairLow: Uint32Array;
  private readonly pairHigh: Uint16Array;
  private readonly pairFrom: Uint32Array; // bucket, one, other
  private readonly four: Uint32Array;
  private readonly fourFrom: Uint32Array;
  private readonly head = new Int16Array(1 << FINE);
  private readonly next = new Int16Array(ROOM);

  constructor(bits = BITS) {
    this.bits = bits;
    this.places = 2 << bits;
    this.buckets = 1 << (bits - FINE);
    const room = this.buckets * ROOM;
    this.filled = new Uint32Array(this.buckets * 3);
    this.leafLow = new Uint32Array(room);
    this.leafHigh = new Uint32Array(room);
    this.leafPlace = new Uint32Array(room);
    this.pairLow = new Uint32Array(room);
    this.pairHigh = new Uint16Array(room);
    this.pairFrom = new Uint32Array(room);
    this.four = new Uint32Array(room);
    this.fourFrom = new Uint32Array(room);
  }

  /** Every solution of one nonce: eight places each. */
  solve(seed: Uint32Array, nonce: number): number[][] {
    this.filled.fill(0);
    this.fill(seed, nonce);
    for (let bucket = 0; bucket < this.buckets; bucket++) this.pairs(bucket);
    for (let bucket = 0; bucket < this.buckets; bucket++) this.fours(bucket);
    const found: number[][] = [];
    for (let bucket = 0; bucket < this.buckets; bucket++) this.wholes(bucket, found);
    return found;
  }

  private fill(seed: Uint32Array, nonce: number): void {
    const { places } = this;
    const first = new Uint32Array(8);
    const state = new Uint32Array(8);
    const block = new Uint32Array(16);
    begin(first);
    block.set(seed);
    block[8] = nonce;
    for (let group = 0, place = 0; place < places; group++, place += 3) {
      state.set(first);
      block[9] = group;
      compress(state, block, 40, true);
      const w2 = state[2]!, w3 = state[3]!, w4 = state[4]!;
      this.put(place, state[0]!, state[1]!, w2);
      this.put(place + 1, (w2 >>> 16) | (w3 << 16), (w3 >>> 16) | (w4 << 16), w4 >>> 16);
      this.put(place + 2, state[5]!, state[6]!, state[7]!);
    }
  }

  /** Keep the lowest four times `bits` of 80. */
  private put(place: number, low: number, middle: number, high: number): void {
    const { bits, filled } = this;
    if (place >= this.places) return;
    const bucket = (low & ((1 << bits) - 1)) >>> FINE;
    const slot = filled[bucket]!;
    if (slot === ROOM) return;
    filled[bucket] = slot + 1;
    const at = bucket * ROOM + slot;
    const top = high & ((1 << (4 * bits - 64)) - 1);
    this.leafLow[at] = (low >>> bits) | (middle << (32 - bits));
    this.leafHigh[at] = (((middle >>> bits) | (top << (32 - bits))) << FINE) | (low & FINE_MASK);
    this.leafPlace[at] = place;
  }

  private pairs(bucket: number): void {
    const { bits, buckets, filled, head, next, leafLow, leafHigh, pairLow, pairHigh, pairFrom } = this;
    const start = bucket * ROOM;
    const count = filled[bucket]!;
    head.fill(-1);
    for (let other = 0; other < count; other++) {
      const low = leafLow[start + other]!, high = leafHigh[start + other]!;
      const key = high & FINE_MASK;
      for (let one = head[key]!; one >= 0; one = next[one]!) {
        const lows = low ^ leafLow[start + one]!;
        const highs = (high ^ leafHigh[start + one]!) >>> FINE;
        const to = (lows & ((1 << bits) - 1)) >>> FINE;
        const slot = filled[buckets + to]!;
        if (slot === ROOM) continue;
        filled[buckets + to] = slot + 1;
        const at = to * ROOM + slot;
        pairLow[at] = (lows >>> bits) | (highs << (32 - bits));
        pairHigh[at] = ((highs >>> bits) << FINE) | (lows & FINE_MASK);
        pairFrom[at] = (bucket << (2 * SLOT)) | (one << SLOT) | other;
      }
      next[other] = head[key]!;
      head[key] = other;
    }
  }

  private fours(bucket: number): void {
    const { bits, buckets, filled, head, next, pairLow, pairHigh, four, fourFrom } = this;
    const start = bucket * ROOM;
    const count = filled[buckets + bucket]!;
    head.fill(-1);
    for (let other = 0; other < count; other++) {
      const low = pairLow[start + other]!, high = pairHigh[start + other]!;
      const key = high & FINE_MASK;
      for (let one = head[key]!; one >= 0; one = next[one]!) {
        const lows = low ^ pairLow[start + one]!;
        const highs = (high ^ pairHigh[start + one]!) >>> FINE;
        const to = (lows & ((1 << bits) - 1)) >>> FINE;
        const slot = filled[2 * buckets + to]!;
        if (slot === ROOM) continue;
        filled[2 * buckets + to] = slot + 1;
        const at = to * ROOM + slot;
        four[at] = (((lows >>> bits) | (highs << (32 - bits))) << FINE) | (lows & FINE_MASK);
        fourFrom[at] = (bucket << (2 * SLOT)) | (one << SLOT) | other;
      }
      next[other] = head[key]!;
      head[key] = other;
    }
  }

  private wholes(bucket: number, found: number[][]): void {
    const { buckets, filled, head, next, four, fourFrom } = this;
    const start = bucket * ROOM;
    const count = filled[2 * buckets + bucket]!;
    head.fill(-1);
    for (let other = 0; other < count; other++) {
      const value = four[start + other]!;
      const key = value & FINE_MASK;
      for (let one = head[key]!; one >= 0; one = next[one]!) {
        if (four[start + one] === value) {
          const places = joined(this.placesOf(fourFrom[start + one]!), this.placesOf(fourFrom[start + other]!));
          // Two fours may share a word, which cancels itself: that is no solution.
          if (new Set(places).size === 8) found.push(places);
        }
      }
      next[other] = head[key]!;
      head[key] = other;
    }
  }

  private placesOf(four: number): number[] {
    const start = (four >>> (2 * SLOT)) * ROOM;
    const one = this.pairFrom[start + ((four >>> SLOT) & SLOT_MASK)]!;
    return joined(this.pairPlaces(one), this.pairPlaces(this.pairFrom[start + (four & SLOT_MASK)]!));
  }

  private pairPlaces(pair: number): number[] {
    const start = (pair >>> (2 * SLOT)) * ROOM;
    return joined(
      [this.leafPlace[start + ((pair >>> SLOT) & SLOT_MASK)]!],
      [this.leafPlace[start + (pair & SLOT_MASK)]!],
    );
  }
}

/** The smaller first place stands left. */
function joined(one: number[], other: number[]): number[] {
  return one[0]! < other[0]! ? [...one, ...other] : [...other, ...one];
}

/** One piece of the answer: the nonce and the places, as hex of big-endian words. */
export function piece(nonce: number, places: number[]): string {
  return [nonce, ...places].map((word) => word.toString(16).padStart(8, "0")).join("");
}
