import assert from "node:assert/strict";
import { test } from "node:test";

import { affine, Decoder } from "../../ui/browser/decoder.js";

const floats = (...values) => Float32Array.from(values);

const near = (found, expected, tolerance = 1e-6) => {
  assert.equal(found.length, expected.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < tolerance, `${found}`));
};

test("an affine map adds up rows of any length, from any row on", () => {
  // Five columns: four at once, and one that is left.
  const layer = { weight: floats(1, 2, 3, 4, 5, -1, 0, 1, 0, 2), bias: floats(10, 20) };
  const x = floats(1, 1, 2, 2, 3);
  const y = floats(0, 0);
  affine(layer, x, y);
  near(y, [1 + 2 + 6 + 8 + 15 + 10, -1 + 2 + 6 + 20]);
  const second = floats(0);
  affine(layer, x, second, 1);
  near(second, [27]);
});

test("a decoder of one unit gives what a hand computes", () => {
  const hidden = { weight: floats(0.5, -1), bias: floats(0.25) };
  const head = { weight: floats(2, -2), bias: floats(0.5, 1) };
  const { mean, deviation } = new Decoder([hidden, head]).decode(floats(1, 0.5), true);
  const unit = Math.tanh(0.5 * 1 - 1 * 0.5 + 0.25);
  near(mean, [1 / (1 + Math.exp(-(2 * unit + 0.5)))]);
  near(deviation, [Math.exp((-2 * unit + 1) / 2)]);
});

test("without hidden layers the head sees z itself", () => {
  const head = { weight: floats(1, 0, 0, 1), bias: floats(0, 0) };
  const { mean, deviation } = new Decoder([head]).decode(floats(0, 2), true);
  near(mean, [0.5]);
  near(deviation, [Math.E], 1e-5);
});
