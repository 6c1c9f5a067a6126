// Solves one challenge in a thread of its own: every `step`th nonce from `first` on, until somebody ends it.
import { digest } from "./blake2s.ts";
import { piece, solve } from "./wagner.ts";

export interface Task {
  text: string;
  first: number;
  step: number;
}

export interface Found {
  nonce: number;
  pieces: string[];
}

addEventListener("message", ({ data }: MessageEvent<Task>) => {
  const seed = digest(data.text);
  for (let nonce = data.first; ; nonce += data.step) {
    const pieces = solve(seed, nonce).map((places) => piece(nonce, places));
    postMessage({ nonce, pieces } satisfies Found);
  }
});
