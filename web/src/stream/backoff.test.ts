import assert from "node:assert/strict";
import { test } from "node:test";

import { pause } from "./backoff.ts";

test("pauses grow to half a minute and no further", () => {
  assert.deepEqual([0, 1, 2, 9, 99].map((attempt) => pause(attempt, 1)), [1_000, 2_000, 4_000, 30_000, 30_000]);
});

test("the dice move a pause by half of it, so that a crowd does not come back as one", () => {
  assert.equal(pause(2, 0), 2_000);
  assert.equal(pause(2, 0.5), 3_000);
});
