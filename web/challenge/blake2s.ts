// BLAKE2s (RFC 7693), unkeyed, 32 bytes out. The browser's own digests know no BLAKE2, wait for each hash, and are
// missing where the connection is not protected.

export const IV = new Uint32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
export const PARAMETERS = 0x0101_0020; // fanout 1, depth 1, no key, 32 bytes

export const SIGMA = new Uint8Array([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3, 11, 8, 12,
  0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4, 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8, 9, 0, 5, 7, 2, 4, 10,
  15, 14, 1, 11, 12, 6, 8, 3, 13, 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9, 12, 5, 1, 15, 14, 13, 4, 10, 0,
  7, 6, 3, 9, 2, 8, 11, 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10, 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1,
  4, 10, 5, 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
]);

/** Take one block of 16 words into `state`. `counted`: bytes up to its end. */
export function compress(state: Uint32Array, block: Uint32Array, counted: number, isLast: boolean): void {
  const h0 = state[0]!, h1 = state[1]!, h2 = state[2]!, h3 = state[3]!;
  const h4 = state[4]!, h5 = state[5]!, h6 = state[6]!, h7 = state[7]!;
  let a0 = h0 | 0, a1 = h1 | 0, a2 = h2 | 0, a3 = h3 | 0;
  let b0 = h4 | 0, b1 = h5 | 0, b2 = h6 | 0, b3 = h7 | 0;
  let c0 = 0x6a09e667 | 0, c1 = 0xbb67ae85 | 0, c2 = 0x3c6ef372 | 0, c3 = 0xa54ff53a | 0;
  let d0 = (0x510e527f ^ counted) | 0, d1 = 0x9b05688c | 0, d2 = (isLast ? ~0x1f83d9ab : 0x1f83d9ab) | 0, d3 = 0x5be0cd19 | 0;
  for (let at = 0; at < 160; at += 16) {
    // Four columns, then four diagonals (RFC 7693 section 3.1), written out: a call for each costs as much again.
    a0 = (a0 + b0 + block[SIGMA[at]!]!) | 0; d0 ^= a0; d0 = (d0 >>> 16) | (d0 << 16);
    c0 = (c0 + d0) | 0; b0 ^= c0; b0 = (b0 >>> 12) | (b0 << 20);
    a0 = (a0 + b0 + block[SIGMA[at + 1]!]!) | 0; d0 ^= a0; d0 = (d0 >>> 8) | (d0 << 24);
    c0 = (c0 + d0) | 0; b0 ^= c0; b0 = (b0 >>> 7) | (b0 << 25);
    a1 = (a1 + b1 + block[SIGMA[at + 2]!]!) | 0; d1 ^= a1; d1 = (d1 >>> 16) | (d1 << 16);
    c1 = (c1 + d1) | 0; b1 ^= c1; b1 = (b1 >>> 12) | (b1 << 20);
    a1 = (a1 + b1 + block[SIGMA[at + 3]!]!) | 0; d1 ^= a1; d1 = (d1 >>> 8) | (d1 << 24);
    c1 = (c1 + d1) | 0; b1 ^= c1; b1 = (b1 >>> 7) | (b1 << 25);
    a2 = (a2 + b2 + block[SIGMA[at + 4]!]!) | 0; d2 ^= a2; d2 = (d2 >>> 16) | (d2 << 16);
    c2 = (c2 + d2) | 0; b2 ^= c2; b2 = (b2 >>> 12) | (b2 << 20);
    a2 = (a2 + b2 + block[SIGMA[at + 5]!]!) | 0; d2 ^= a2; d2 = (d2 >>> 8) | (d2 << 24);
    c2 = (c2 + d2) | 0; b2 ^= c2; b2 = (b2 >>> 7) | (b2 << 25);
    a3 = (a3 + b3 + block[SIGMA[at + 6]!]!) | 0; d3 ^= a3; d3 = (d3 >>> 16) | (d3 << 16);
    c3 = (c3 + d3) | 0; b3 ^= c3; b3 = (b3 >>> 12) | (b3 << 20);
    a3 = (a3 + b3 + block[SIGMA[at + 7]!]!) | 0; d3 ^= a3; d3 = (d3 >>> 8) | (d3 << 24);
    c3 = (c3 + d3) | 0; b3 ^= c3; b3 = (b3 >>> 7) | (b3 << 25);
    a0 = (a0 + b1 + block[SIGMA[at + 8]!]!) | 0; d3 ^= a0; d3 = (d3 >>> 16) | (d3 << 16);
    c2 = (c2 + d3) | 0; b1 ^= c2; b1 = (b1 >>> 12) | (b1 << 20);
    a0 = (a0 + b1 + block[SIGMA[at + 9]!]!) | 0; d3 ^= a0; d3 = (d3 >>> 8) | (d3 << 24);
    c2 = (c2 + d3) | 0; b1 ^= c2; b1 = (b1 >>> 7) | (b1 << 25);
    a1 = (a1 + b2 + block[SIGMA[at + 10]!]!) | 0; d0 ^= a1; d0 = (d0 >>> 16) | (d0 << 16);
    c3 = (c3 + d0) | 0; b2 ^= c3; b2 = (b2 >>> 12) | (b2 << 20);
    a1 = (a1 + b2 + block[SIGMA[at + 11]!]!) | 0; d0 ^= a1; d0 = (d0 >>> 8) | (d0 << 24);
    c3 = (c3 + d0) | 0; b2 ^= c3; b2 = (b2 >>> 7) | (b2 << 25);
    a2 = (a2 + b3 + block[SIGMA[at + 12]!]!) | 0; d1 ^= a2; d1 = (d1 >>> 16) | (d1 << 16);
    c0 = (c0 + d1) | 0; b3 ^= c0; b3 = (b3 >>> 12) | (b3 << 20);
    a2 = (a2 + b3 + block[SIGMA[at + 13]!]!) | 0; d1 ^= a2; d1 = (d1 >>> 8) | (d1 << 24);
    c0 = (c0 + d1) | 0; b3 ^= c0; b3 = (b3 >>> 7) | (b3 << 25);
    a3 = (a3 + b0 + block[SIGMA[at + 14]!]!) | 0; d2 ^= a3; d2 = (d2 >>> 16) | (d2 << 16);
    c1 = (c1 + d2) | 0; b0 ^= c1; b0 = (b0 >>> 12) | (b0 << 20);
    a3 = (a3 + b0 + block[SIGMA[at + 15]!]!) | 0; d2 ^= a3; d2 = (d2 >>> 8) | (d2 << 24);
    c1 = (c1 + d2) | 0; b0 ^= c1; b0 = (b0 >>> 7) | (b0 << 25);
  }
  state[0] = h0 ^ a0 ^ c0; state[1] = h1 ^ a1 ^ c1; state[2] = h2 ^ a2 ^ c2; state[3] = h3 ^ a3 ^ c3;
  state[4] = h4 ^ b0 ^ d0; state[5] = h5 ^ b1 ^ d1; state[6] = h6 ^ b2 ^ d2; state[7] = h7 ^ b3 ^ d3;
}

/** The state before the first block. */
export function begin(state: Uint32Array): void {
  state.set(IV);
  state[0] = IV[0]! ^ PARAMETERS;
}

/** The digest of an ASCII text, as eight words. */
export function digest(text: string): Uint32Array {
  const state = new Uint32Array(8);
  const block = new Uint32Array(16);
  begin(state);
  for (let from = 0; from === 0 || from < text.length; from += 64) {
    block.fill(0);
    const end = Math.min(from + 64, text.length);
    for (let at = from; at < end; at++) block[(at - from) >> 2]! |= text.charCodeAt(at) << (8 * (at & 3));
    compress(state, block, end, end === text.length);
  }
  return state;
}
