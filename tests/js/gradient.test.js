import assert from "node:assert/strict";
import { test } from "node:test";

import { elbo } from "../../ui/browser/bound.js";
import { normals, seeded } from "../../ui/browser/chance.js";
import { Learner } from "../../ui/browser/gradient.js";
import { Joint } from "../../ui/browser/joint.js";

const near = (found, expected, tolerance, what = "") =>
  assert.ok(Math.abs(found - expected) <= tolerance, `${what} ${found} is not ${expected}`);

function layersOf(sizes, random) {
  const numbers = (count) => Float32Array.from({ length: count }, () => 1.4 * (random() - 0.5));
  return sizes.slice(1).map((width, i) => ({
    weight: numbers(width * sizes[i]),
    bias: numbers(width),
  }));
}

/** A learner of images of six pixels, three of them, and their noise. */
function some() {
  const random = seeded(4);
  const [encoder, decoder] = [layersOf([6, 5, 4, 4], random), layersOf([2, 4, 5, 12], random)];
  const x = Float64Array.from({ length: 18 }, () => random());
  return { encoder, decoder, learner: new Learner(encoder, decoder), x, noise: normals(6, random) };
}

test("the terms of each face are those of the ELBO elsewhere in the lesson", () => {
  const { decoder, learner, x, noise } = some();
  const { mean, deviation, terms, average } = learner.pass(x, noise);
  const joint = new Joint(decoder);
  for (let n = 0; n < 3; n++) {
    const own = (all) => [...all.subarray(2 * n, 2 * n + 2)];
    const expected = elbo(
      joint,
      x.subarray(6 * n, 6 * n + 6),
      { mean: own(mean), deviation: own(deviation) },
      { noise: noise.subarray(2 * n, 2 * n + 2), weights: Float64Array.from([1]) },
    );
    for (const name of ["logLikelihood", "kl", "elbo"]) near(terms[n][name], expected[name], 1e-5);
  }
  near(average.elbo, (terms[0].elbo + terms[1].elbo + terms[2].elbo) / 3, 1e-9);
});

test("the gradient is that of finite differences in every weight", () => {
  const { learner, x, noise } = some();
  learner.slope(x, noise);
  const { weights, gradient } = learner;
  weights.forEach((weight, i) => {
    const moved = [1e-5, -1e-5].map((by) => {
      weights[i] = weight + by;
      return learner.pass(x, noise).average.elbo;
    });
    weights[i] = weight;
    near(gradient[i], (moved[0] - moved[1]) / 2e-5, 1e-5, `weight ${i}:`);
  });
});

test("the first step of Adam moves each weight by its rate, uphill", () => {
  const { learner, x, noise } = some();
  const before = learner.slope(x, noise).average.elbo;
  const weights = learner.weights.slice();
  learner.climb(1e-3);
  learner.weights.forEach((weight, i) => {
    if (Math.abs(learner.gradient[i]) < 1e-4) return;
    near(weight - weights[i], 1e-3 * Math.sign(learner.gradient[i]), 1e-6);
  });
  for (let step = 0; step < 50; step++) {
    learner.slope(x, noise);
    learner.climb(1e-3);
  }
  assert.ok(learner.pass(x, noise).average.elbo > before);
});
