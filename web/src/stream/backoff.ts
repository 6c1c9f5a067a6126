// How long to wait before the stream is opened again: longer each time, and never in step with everybody else.

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** The pause before try number `attempt` (from 0); `dice` is a number from 0 up to 1. */
export function pause(attempt: number, dice: number): number {
  const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  // Half of it is certain: a crowd that lost one server must not come back as one.
  return most / 2 + (most / 2) * dice;
}
