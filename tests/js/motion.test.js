import assert from "node:assert/strict";
import { test } from "node:test";

import { between, ease, nearestFirst, spline } from "../../ui/browser/motion.js";

const KNOTS = [[0, 0], [1, 2], [3, 1], [2, -2]].map((z) => Float32Array.from(z));

test("a walk passes its knots in turn and comes round", () => {
  for (let t = 0; t < 8; t++) assert.deepEqual(spline(KNOTS, t), KNOTS[t % 4]);
});

test("a walk has no jump and no kink at a knot", () => {
  const step = 1e-3;
  const [before, at, after] = [-step, 0, step].map((off) => spline(KNOTS, 2 + off));
  at.forEach((latent, k) => {
    assert.ok(Math.abs(after[k] - latent) < 0.01);
    assert.ok(Math.abs(after[k] + before[k] - 2 * latent) < 1e-4);
  });
});

test("through points of a line a walk is even", () => {
  const line = [0, 1, 2, 3, 4, 5].map((x) => Float32Array.of(x));
  assert.ok(Math.abs(spline(line, 2.25)[0] - 2.25) < 1e-6);
});

test("a glide begins and ends at rest, half-way at half time", () => {
  assert.deepEqual([0, 0.5, 1].map(ease), [0, 0.5, 1]);
  assert.ok(ease(0.01) < 0.001 && ease(0.99) > 0.999);
  assert.deepEqual([...between(KNOTS[0], KNOTS[1], 0.5)], [0.5, 1]);
});

test("a walk goes to the nearest of what is left", () => {
  const others = [5, 1, 3, 2].map((x) => Float32Array.of(x));
  const walk = nearestFirst(Float32Array.of(0.5), others).map(([x]) => x);
  assert.deepEqual(walk, [0.5, 1, 2, 3, 5]);
  assert.equal(others.length, 4);
});
