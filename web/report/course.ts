// What the page was given: the course of a rehearsal, as the judge wrote it down.

export interface Mark {
  kind: "attack" | "crowd" | "fault" | "odd";
  name: string;
  from_s: number;
  until_s: number;
}

type Values = (number | null)[];
export type ByGroup = Record<string, Values>;

export interface Course {
  duration_s: number;
  warm_s: number;
  first_s: number;
  marks: Mark[];
  load: {
    step_s: number;
    offered: ByGroup;
    admitted: ByGroup;
    good: ByGroup;
    needs: Record<string, number[]>;
    goodput: ByGroup;
    first_p95_s: ByGroup;
    running: Values;
    waiting: Values;
    in_line: Values;
    tok_s: Values;
    capacity_tok_s: Values;
    mode: string[];
  };
}

export const GROUPS = ["established", "new", "anonymous", "attacker"] as const;
export const LEGITIMATE = ["established", "new", "anonymous"] as const;
// Seconds between two marks of the axis.
export const INCREMENTS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000,
];

// Each on the shoulders of those before it; what is nothing at all stays nothing.
export function stacked(groups: readonly string[], values: ByGroup): Values[] {
  const sums: Values[] = [];
  for (const group of groups) {
    const below = sums.at(-1);
    sums.push((values[group] ?? []).map((value, place) => (value ?? 0) + (below?.[place] ?? 0)));
  }
  return sums;
}

// The mean over so many neighbours, each as heavy as the number of questions in it: one alone is hardly a figure.
export function smoothed(values: Values, weights: number[], joined: number): Values {
  return values.map((_, place) => {
    const first = place - (place % joined);
    let sum = 0;
    let weight = 0;
    for (let each = first; each < Math.min(first + joined, values.length); each++) {
      const value = values[each];
      if (typeof value !== "number") continue;
      sum += value * (weights[each] ?? 0);
      weight += weights[each] ?? 0;
    }
    return weight ? sum / weight : null;
  });
}

// The stretches over which one word holds.
export function stretches(words: string[]): { word: string; from: number; until: number }[] {
  const found: { word: string; from: number; until: number }[] = [];
  words.forEach((word, place) => {
    const last = found.at(-1);
    if (last?.word === word) last.until = place + 1;
    else found.push({ word, from: place, until: place + 1 });
  });
  return found;
}

export function most(values: Values[]): number {
  let found = 0;
  for (const each of values) for (const value of each) if (value !== null && value > found) found = value;
  return found;
}

export function clock(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  return minutes % 60 ? `${hours}:${String(minutes % 60).padStart(2, "0")} h` : `${hours} h`;
}

export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (size >= 1e3) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}
