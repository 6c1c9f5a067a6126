// What the page says while it works, and how much it takes on.

export interface Device {
  cores: number;
  saves: boolean; // data, or a battery that is nearly empty
}

/** One worker for little work, more for much, and never more than half of the machine. */
export function workersFor(effort: number, device: Device): number {
  if (device.saves) return 1;
  return Math.max(1, Math.min(4, device.cores >> 1, effort >> 1));
}

/** Of `effort` pieces `found`, in `spentMs` of work. Undefined while there is nothing to reckon from: one is luck. */
export function secondsLeft(effort: number, found: number, spentMs: number): number | undefined {
  if (found < 2) return undefined;
  return Math.max(1, Math.ceil(((effort - found) * spentMs) / found / 1000));
}

export function working(effort: number, found: number, spentMs: number): string {
  const seconds = secondsLeft(effort, found, spentMs);
  const percent = Math.floor((found / effort) * 100);
  if (seconds === undefined) return "Checking your browser. You can go on meanwhile.";
  return `Checking your browser: ${percent}% done, about ${seconds} ${seconds === 1 ? "second" : "seconds"} left. You can go on meanwhile.`;
}

/** `instead` is what the page offers to those whose browser cannot; empty where it offers nothing. */
export function failed(instead: string): string {
  return `Your browser could not do the check. Reload the page to try again${instead && `, or ${instead}`}.`;
}

export const WORDS = {
  paused: "The check is paused.",
  done: "The check is done.",
  sending: "Your form is sent by itself as soon as the check is done.",
  renewing: "The check ran out of time and begins anew. You can go on meanwhile.",
  asleep: "The check ran out of time. It begins anew as soon as you go on.",
  expired: "The check has run out of time. Send the form to get a new one: what you filled in is kept where it can be.",
};
