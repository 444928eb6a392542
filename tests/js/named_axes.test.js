import assert from "node:assert/strict";
import { test } from "node:test";

import { along, amountOf } from "../../ui/browser/named_axes.js";

const axis = { name: "smiling", middle: [1, 0, 0], direction: [0, 3, 4] };

test("the middle is nought, and a whole direction one", () => {
  assert.equal(amountOf(Float32Array.of(1, 0, 0), axis), 0);
  assert.equal(amountOf(Float32Array.of(1, 3, 4), axis), 1);
});

test("a slider moves z along its axis alone", () => {
  const z = Float32Array.of(2, 4, -3);
  const there = along(z, axis, 0.5);
  assert.deepEqual([...there], [2, 5.5, -1]);
  assert.ok(Math.abs(amountOf(there, axis) - 0.5) < 1e-6);
});
