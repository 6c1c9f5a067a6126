// The time, for what counts seconds on the page; it ticks only while something looks at it.
import { createSubscriber } from "svelte/reactivity";

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1_000);
  return () => clearInterval(timer);
});

/** Milliseconds since the epoch, looked at again every second. */
export function now(): number {
  subscribe();
  return Date.now();
}
