import assert from "node:assert/strict";
import { test } from "node:test";

import { Noise } from "../../ui/browser/noise.js";

const near = (found, expected) =>
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-6, `${found}`));

test("Gaussian noise is added to the mean, a pixel at a time", () => {
  const noise = new Noise("gaussian", [1, 2]);
  const deviation = Float32Array.of(0.1, 0.2);
  near(noise.addTo(Float32Array.of(0.5, 0.5), deviation, Float32Array.of(1, -1)), [0.6, 0.3]);
  assert.equal(noise.spread(deviation), deviation);
});

test("correlated noise goes on from pixel to pixel", () => {
  // Each of three pixels in a row follows the one to its left by half, and no other.
  const weights = new Float32Array(12 * 3).fill(0.5, 0, 3);
  const noise = new Noise("correlated", [1, 3], 0, weights);
  const ones = new Float32Array(3).fill(1);
  near(noise.addTo(new Float32Array(3), ones, Float32Array.of(1, 0, 2)), [1, 0.5, 2.25]);
  near(noise.spread(ones), [1, Math.sqrt(1.25), Math.sqrt(1.3125)]);
});

test("the channels of a colour keep to themselves", () => {
  const weights = new Float32Array(12 * 6).fill(1, 0, 6);
  const noise = new Noise("correlated", [1, 2, 3], 0, weights);
  const ones = new Float32Array(6).fill(1);
  near(noise.addTo(new Float32Array(6), ones, Float32Array.of(1, 2, 3, 0, 0, 0)), [1, 2, 3, 1, 2, 3]);
});

test("a discretised logistic gives grey levels", () => {
  const noise = new Noise("logistic", [1, 3]);
  const deviation = new Float32Array(3).fill(0.3);
  const drawn = noise.addTo(new Float32Array(3).fill(0.5), deviation, Float32Array.of(-9, 0.001, 9));
  near(drawn, [0, 128 / 255, 1]);
});
