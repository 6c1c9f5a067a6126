// Writes challenge/rounds.ts: `node bundling/unrolled.ts > challenge/rounds.ts`. A test sees that it is what stands there.
import { IV, PARAMETERS, SIGMA } from "../challenge/blake2s.ts";

const WORDS = 10; // of the 16 in a block: seed, nonce, group; the rest are zero and need not be added
const GROUP = WORDS - 1;
const ROUNDS = 10;
// Four columns, then four diagonals (RFC 7693 section 3.1): which of a, b, c, d.
const FORKS = [0, 1].flatMap((by) => [0, 1, 2, 3].map((at) => [at, (at + by) & 3, (at + 2 * by) & 3, (at + 3 * by) & 3]));

const rows = (letters: string, count = 4): string[] =>
  [...letters].flatMap((letter) => Array.from({ length: count }, (_, at) => `${letter}${at}`));
const STATE = rows("abcd");
const SHARED = rows("m", GROUP);
const hex = (word: number): string => `0x${(word >>> 0).toString(16).padStart(8, "0")} | 0`;

/** Half of the function G. */
function half([a, b, c, d]: readonly number[], word: number, turns: readonly [number, number]): string {
  const added = word < WORDS ? ` + m${word}` : "";
  const turned = (name: string, by: number): string => `${name} = (${name} >>> ${by}) | (${name} << ${32 - by});`;
  return [
    `a${a} = (a${a} + b${b}${added}) | 0; d${d} ^= a${a}; ${turned(`d${d}`, turns[0])}`,
    `c${c} = (c${c} + d${d}) | 0; b${b} ^= c${c}; ${turned(`b${b}`, turns[1])}`,
  ].join(" ");
}

/** The text of challenge/rounds.ts. */
export function unrolled(): string {
  const once: string[] = []; // what no group has a part in
  const always: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    FORKS.forEach((fork, at) => {
      const first = half(fork, SIGMA[16 * round + 2 * at]!, [16, 12]);
      const second = half(fork, SIGMA[16 * round + 2 * at + 1]!, [8, 7]);
      // In the first round the first diagonal takes the group in, with its second half, and no other touches its words.
      (round === 0 ? once : always).push(first);
      (round === 0 && SIGMA[2 * at + 1] !== GROUP ? once : always).push(second);
    });
  }
  const start = [...IV].map((word, at) => (at === 0 ? word ^ PARAMETERS : word));
  const begun = [...start, ...IV].map((word, at) => (at === 12 ? word ^ (4 * WORDS) : at === 14 ? ~word : word));
  const ended = start.map((word, at) => {
    const [one, other] = at < 4 ? ["a", "c"] : ["b", "d"];
    return `hashed[at + ${at}] = ${hex(word).slice(0, -4)} ^ ${one}${at & 3} ^ ${other}${at & 3};`;
  });
  return `// Written by bundling/unrolled.ts: change that. BLAKE2s of seed, nonce and group, every round written out.
// Arrays that are constants of the module cost a compiler no look at where they lie and how long they are.

/** Words that come after \`begin\`: the state before the first of what a group changes, then seed and nonce. */
const shared = new Int32Array(${STATE.length + SHARED.length});

/** Digests of groups, eight words each: room for 64. */
export const hashed = new Int32Array(8 * 64);

/** Do what all groups have in common. */
export function begin(seed: Uint32Array, nonce: number): void {
  const ${SHARED.map((name, at) => `${name} = ${at < 8 ? `seed[${at}]! | 0` : "nonce | 0"}`).join(", ")};
${[0, 4, 8, 12].map((from) => `  let ${STATE.slice(from, from + 4).map((name, at) => `${name} = ${hex(begun[from + at]!)}`).join(", ")};`).join("\n")}
  ${once.join("\n  ")}
  shared.set([${[...STATE, ...SHARED].join(", ")}]);
}

/** The digest of one group into \`hashed\`, from \`at\` on. */
export function hash(m${GROUP}: number, at: number): void {
  let ${STATE.map((name, at) => `${name} = shared[${at}]!`).join(", ")};
  const ${SHARED.map((name, at) => `${name} = shared[${STATE.length + at}]!`).join(", ")};
  ${always.join("\n  ")}
  ${ended.join("\n  ")}
}
`;
}

if (import.meta.main) process.stdout.write(unrolled());
