// A page takes another challenge only where it is one for its own form.
import assert from "node:assert/strict";
import { test } from "node:test";

import { freshOf } from "./fresh.ts";

const text = "wagner.sign_up.3.1800000000250.600.00.00";

test("a challenge for the same thing is taken, from the form and from the line", () => {
  assert.equal(freshOf({ state: "form", challenge: { text, effort: 3 } }, "sign_up"), text);
  assert.equal(freshOf({ state: "line", challenge: { text, effort: 3 } }, "sign_up"), text);
});

test("where nothing is asked for any more, the form goes without", () => {
  assert.equal(freshOf({ state: "form", challenge: null }, "sign_up"), "");
});

test("anything else leaves it to the service to say what comes next", () => {
  assert.equal(freshOf({ state: "form", challenge: { text, effort: 3 } }, "sign_in"), undefined);
  for (const told of [{ state: "waiting", challenge: null }, { state: "closed" }, { challenge: {} }, null, "form", 7]) {
    assert.equal(freshOf(told, "sign_up"), undefined);
  }
});
