// The page takes on what a device can bear, and says how long it takes without making it up.
import assert from "node:assert/strict";
import { test } from "node:test";

import { failed, secondsLeft, working, workersFor } from "./words.ts";

test("little work is done quietly by one worker, much by up to half of the machine", () => {
  assert.equal(workersFor(1, { cores: 16, saves: false }), 1);
  assert.equal(workersFor(3, { cores: 16, saves: false }), 1);
  assert.equal(workersFor(8, { cores: 16, saves: false }), 4);
  assert.equal(workersFor(64, { cores: 64, saves: false }), 4);
  assert.equal(workersFor(8, { cores: 4, saves: false }), 2);
  assert.equal(workersFor(8, { cores: 1, saves: false }), 1);
  assert.equal(workersFor(8, { cores: 16, saves: true }), 1);
});

test("nothing is said of the time before there is anything to reckon from", () => {
  assert.equal(secondsLeft(4, 0, 9000), undefined);
  assert.equal(secondsLeft(4, 1, 9000), undefined);
  assert.doesNotMatch(working(4, 0, 9000), /second|%/);
});

test("what is left is reckoned from what was done, and is never nothing", () => {
  assert.equal(secondsLeft(8, 2, 2000), 6);
  assert.equal(secondsLeft(10, 9, 900), 1);
  assert.match(working(8, 2, 2000), /25% done, about 6 seconds left/);
  assert.match(working(10, 9, 900), /about 1 second left/);
});

test("who cannot do the check is told what this page offers instead, and of nothing that it does not", () => {
  assert.match(failed("look again later"), /Reload the page to try again, or look again later\.$/);
  assert.match(failed(""), /Reload the page to try again\.$/);
});
