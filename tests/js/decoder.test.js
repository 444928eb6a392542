import assert from "node:assert/strict";
import { test } from "node:test";

import { Decoder } from "../../ui/browser/decoder.js";
import { Encoder } from "../../ui/browser/encoder.js";

const floats = (...values) => Float32Array.from(values);

const near = (found, expected, tolerance = 1e-6) => {
  assert.equal(found.length, expected.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < tolerance, `${found}`));
};

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

const SILU = (a) => a / (1 + Math.exp(-a));

for (const [name, of] of [
  ["tanh", Math.tanh],
  ["relu", (a) => Math.max(a, 0)],
  ["silu", SILU],
]) {
  test(`after each hidden layer, not after the head, comes ${name}`, () => {
    const first = { weight: floats(1, -2), bias: floats(0.5, 0.25) };
    const second = { weight: floats(1, -1, -0.5, 2), bias: floats(0, 0.1) };
    const head = { weight: floats(1, 2, -1, 1), bias: floats(-3, 0.5) };
    for (const z of [-1.5, 0, 2]) {
      const { mean, deviation } = new Decoder([first, second, head], name).decode(floats(z), true);
      const [a, b] = [of(z + 0.5), of(-2 * z + 0.25)];
      const [c, d] = [of(a - b), of(-0.5 * a + 2 * b + 0.1)];
      near(mean, [1 / (1 + Math.exp(-(c + 2 * d - 3)))]);
      near(deviation, [Math.exp((-c + d + 0.5) / 2)], 1e-4);
      const encoder = new Encoder([1, 1], [first, second, head], name);
      const [x, y] = [of(1.5), of(-1.75)];
      const [u, v] = [of(x - y), of(-0.5 * x + 2 * y + 0.1)];
      const posterior = encoder.encode(Uint8Array.of(255));
      near(posterior.mean, [u + 2 * v - 3], 1e-5);
      near(posterior.deviation, [Math.exp((-u + v + 0.5) / 2)], 1e-4);
    }
  });
}
