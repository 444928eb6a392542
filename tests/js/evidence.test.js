import assert from "node:assert/strict";
import { test } from "node:test";

import { boundsOf, eigen, Grid, integrate, logPosterior, summitsOf, SIDE } from "../../ui/browser/evidence.js";
import { Joint } from "../../ui/browser/joint.js";
import { seeded } from "../../ui/browser/chance.js";

const near = (found, expected, tolerance) =>
  assert.ok(Math.abs(found - expected) <= tolerance, `${found} is not ${expected}`);

function finished(work) {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** A decoder of a few pixels: narrow Gaussians around a curved mean. */
function curved(seed, logVar) {
  const random = seeded(seed);
  const numbers = (count, scale) =>
    Float32Array.from({ length: count }, () => scale * (random() - 0.5));
  const bias = numbers(20, 0.5);
  bias.fill(logVar, 10);
  const weight = numbers(20 * 6, 3);
  weight.fill(0, 10 * 6);
  return new Joint([
    { weight: numbers(12, 2), bias: numbers(6, 1) },
    { weight, bias },
  ]);
}

/** The integral by brute force: a fine grid. */
function added(joint, x, side = 601, extent = 6) {
  const step = (2 * extent) / (side - 1);
  let highest = -Infinity;
  const all = [];
  for (let i = 0; i < side; i++) {
    const z = [];
    for (let j = 0; j < side; j++) z.push(-extent + i * step, -extent + j * step);
    for (const value of joint.logJoint(x, z)) {
      all.push(value);
      highest = Math.max(highest, value);
    }
  }
  return highest + Math.log(all.reduce((sum, value) => sum + Math.exp(value - highest), 0)) + 2 * Math.log(step);
}

for (const [seed, logVar] of [
  [1, -2],
  [2, -5],
  [5, -6],
]) {
  test(`log p(x) is the integral that a fine grid adds up (${seed}, ${logVar})`, () => {
    const joint = curved(seed, logVar);
    const x = joint.decode([0.6, -0.4]).mean;
    const found = finished(integrate(new Grid(joint, 4), x));
    near(found.logPx, added(joint, x), 0.02);
    assert.ok(found.error < 0.02);
  });
}

test("the posterior between the lattice's points is log p(x, z) − log p(x)", () => {
  const joint = curved(2, -5);
  const x = joint.decode([0.6, -0.4]).mean;
  const found = finished(integrate(new Grid(joint, 4), x));
  const { left, right, bottom, top } = boundsOf(found, 3);
  assert.ok(left < 0.6 && right > 0.6 && bottom < -0.4 && top > -0.4);
  for (const [u, v] of [[0.5, 0.5], [0.4, 0.55], [0.6, 0.35]]) {
    const z = [left + u * (right - left), bottom + v * (top - bottom)];
    near(logPosterior(found, z), joint.logJoint(x, z)[0] - found.logPx, 0.05);
  }
  assert.equal(logPosterior(found, [-3.9, 3.9]), -Infinity);
});

test("the grid's own values are log p(x, z)", () => {
  const joint = curved(1, -3);
  const grid = new Grid(joint, 4);
  while (!grid.whole) grid.fill();
  const x = joint.decode([1, 1]).mean;
  const found = grid.logJoint(x);
  for (const n of [0, 777, SIDE * SIDE - 1]) {
    near(found[n], joint.logJoint(x, grid.z.slice(2 * n, 2 * n + 2))[0], 1e-2);
  }
});

test("summits are those that no neighbour exceeds, the highest first", () => {
  const values = new Float64Array(SIDE * SIDE).map((_, n) => -((n % SIDE) + n / SIDE));
  values[SIDE * 30 + 30] = 5;
  assert.deepEqual(summitsOf(values), [SIDE * 30 + 30, 0]);
});

test("eigenvalues and their directions", () => {
  const { values, vectors } = eigen([2, 1, 2]);
  near(values[0], 3, 1e-12);
  near(values[1], 1, 1e-12);
  near(Math.abs(vectors[0][0]), Math.SQRT1_2, 1e-12);
});
