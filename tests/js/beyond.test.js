import assert from "node:assert/strict";
import { test } from "node:test";

import { densityOf, pointOn } from "../../ui/browser/beyond.js";

test("a density of points adds up to 1, and is highest where they lie", () => {
  const side = 81;
  const density = densityOf([0, 0, 1, 1], 4, side, 0.3);
  const cell = (8 / (side - 1)) ** 2;
  const whole = density.reduce((sum, value) => sum + value * cell, 0);
  assert.ok(Math.abs(whole - 1) < 1e-3, `${whole}`);
  // Row 50, column 50 is (1, 1); row 30, column 50 is (1, −1).
  assert.ok(density[50 * side + 50] > 0.9 / (2 * 2 * Math.PI * 0.09));
  assert.ok(density[30 * side + 50] < 1e-4);
});

test("a point of a way lies between its neighbours, and its ends are its ends", () => {
  const way = [[0, 0], [1, 0], [1, 2]];
  assert.deepEqual(pointOn(way, 0), [0, 0]);
  assert.deepEqual(pointOn(way, 0.75), [1, 1]);
  assert.deepEqual(pointOn(way, 1), [1, 2]);
});
