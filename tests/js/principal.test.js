import assert from "node:assert/strict";
import { test } from "node:test";

import { dot, principalAxes } from "../../ui/browser/principal.js";
import {
  DATA_AXES,
  deviationAlong,
  isSamePlane,
  moveAlong,
  placeAlong,
  project,
} from "../../ui/browser/projection.js";

/** Numbers between −1 and 1, the same each time. */
function* drawn() {
  let state = 7;
  for (;;) {
    state = (state * 48271) % 2147483647;
    yield (2 * state) / 2147483647 - 1;
  }
}

/** A cloud with these half-widths along directions that are no latents. */
function cloud(widths, count = 3000) {
  const latents = widths.length;
  const numbers = drawn();
  // Householder's reflection: its columns are orthonormal.
  const v = widths.map((_, k) => k + 1);
  const size = dot(v, v);
  const basis = widths.map((_, i) => widths.map((__, k) => (i === k) - (2 * v[i] * v[k]) / size));
  const points = new Float32Array(count * latents);
  for (let row = 0; row < count; row++) {
    widths.forEach((width, i) => {
      const place = width * numbers.next().value;
      for (let k = 0; k < latents; k++) points[row * latents + k] += 0.3 + place * basis[i][k];
    });
  }
  return { points, basis };
}

test("the axes are those along which the cloud is widest, whatever its middle", () => {
  const { points, basis } = cloud([0.2, 3, 0.5, 1.5, 0.1]);
  const { directions, shares, reach } = principalAxes(points, 5);
  for (const [i, which] of [[0, 1], [1, 3]]) {
    assert.ok(Math.abs(Math.abs(dot(directions[i], basis[which])) - 1) < 1e-3);
    const component = Math.max(...directions[i].map(Math.abs));
    assert.ok(directions[i].includes(component), "the largest component is positive");
  }
  assert.ok(Math.abs(dot(directions[0], directions[1])) < 1e-6);
  const whole = 0.04 + 9 + 0.25 + 2.25 + 0.01;
  assert.ok(Math.abs(shares[0] - 9 / whole) < 0.03 && Math.abs(shares[1] - 2.25 / whole) < 0.03);
  assert.ok(reach > 2.9 && reach < 5);
});

test("axes of before keep their sides", () => {
  const { points } = cloud([0.2, 3, 1.5]);
  const before = principalAxes(points, 3);
  const turned = { ...before, directions: before.directions.map((d) => d.map((value) => -value)) };
  const after = principalAxes(points, 3, turned);
  after.directions.forEach((d, i) => assert.ok(dot(d, turned.directions[i]) > 0.999));
});

test("where nothing varies there are two axes still", () => {
  for (const count of [1, 4]) {
    const { directions, shares } = principalAxes(new Float32Array(3 * count).fill(2), 3);
    assert.ok(directions.every((d) => Math.abs(dot(d, d) - 1) < 1e-6));
    assert.ok(Math.abs(dot(...directions)) < 1e-6);
    assert.deepEqual(shares, [0, 0]);
  }
});

test("z moves along an axis of the data, and what lies across it stays", () => {
  const { points } = cloud([0.2, 3, 0.5, 1.5]);
  const model = { principal: principalAxes(points, 4) };
  const z = Float32Array.of(0.5, -1, 0.25, 2);
  const before = z.slice();
  const third = Float32Array.of(1, 0, 0, 0);
  for (const d of model.principal.directions) {
    const along = dot(third, d);
    third.forEach((value, k) => (third[k] = value - along * d[k]));
  }
  const across = dot(z, third);
  DATA_AXES.forEach((axis, i) => moveAlong(z, axis, [1.5, -2][i], model));
  assert.ok(Math.abs(placeAlong(z, -1, model) - 1.5) < 1e-5);
  assert.ok(Math.abs(placeAlong(z, -2, model) + 2) < 1e-5);
  assert.ok(Math.abs(dot(z, third) - across) < 1e-5);
  assert.ok(isSamePlane(z, before, DATA_AXES, model));
  assert.ok(!isSamePlane(z, before, [0, 1]));
  z[0] += 0.1;
  assert.ok(!isSamePlane(z, before, DATA_AXES, model));
  const [x, y] = project(z, { axes: DATA_AXES, extent: 4, side: 200, model });
  assert.ok(Math.abs(x - 100 * (1 + placeAlong(z, -1, model) / 4)) < 1e-3);
  assert.ok(Math.abs(y - 100 * (1 - placeAlong(z, -2, model) / 4)) < 1e-3);
});

test("deviations along an axis of the data are those of independent latents", () => {
  const model = { principal: { directions: [Float32Array.of(0.6, 0.8, 0)], shares: [], reach: 0 } };
  const found = deviationAlong([2, 1, 9], -1, model);
  assert.ok(Math.abs(found - Math.hypot(1.2, 0.8)) < 1e-6);
  assert.equal(deviationAlong([2, 1, 9], 2), 9);
});
