import assert from "node:assert/strict";
import { test } from "node:test";

import { climb, cubature, divergence, elbo, estimates, slopesOfElbo } from "../../ui/browser/bound.js";
import { normals, seeded } from "../../ui/browser/chance.js";
import { Joint } from "../../ui/browser/joint.js";

const near = (found, expected, tolerance, what = "") =>
  assert.ok(Math.abs(found - expected) <= tolerance, `${what} ${found} is not ${expected}`);

/** A decoder of a few pixels, of any weights. */
export function someJoint(seed = 3, sizes = [2, 7, 5, 12]) {
  const random = seeded(seed);
  const numbers = (count, scale) =>
    Float32Array.from({ length: count }, () => scale * (random() - 0.5));
  return new Joint(
    sizes.slice(1).map((width, i) => ({
      weight: numbers(width * sizes[i], 2.5),
      bias: numbers(width, 1),
    })),
  );
}

const X = Float32Array.from({ length: 6 }, (_, i) => i / 5);

test("log p(x|z) is the sum of the pixels' log-densities", () => {
  const joint = someJoint();
  const z = [0.3, -0.8, 1.1, 0.2, -2, 0.5, 0, 0, 0.7, 0.7];
  const { mean, logVar } = joint.decode(z);
  const found = joint.logLikelihood(X, z);
  assert.equal(found.length, 5);
  for (let n = 0; n < 5; n++) {
    let expected = 0;
    for (let d = 0; d < 6; d++) {
      const deviation = Math.exp(logVar[6 * n + d] / 2);
      const residual = (X[d] - mean[6 * n + d]) / deviation;
      expected -= 0.5 * residual ** 2 + Math.log(deviation * Math.sqrt(2 * Math.PI));
    }
    near(found[n], expected, 1e-4);
  }
});

test("slopes in z are those of finite differences", () => {
  const joint = someJoint();
  const z = [0.3, -0.8, 1.1, 0.2, -2, 0.5];
  const slopes = new Float64Array(6);
  joint.logJoint(X, z, slopes);
  z.forEach((_, i) => {
    const moved = (by) => joint.logJoint(X, z.map((value, j) => (i === j ? value + by : value)));
    const n = Math.floor(i / 2);
    near(slopes[i], (moved(1e-5)[n] - moved(-1e-5)[n]) / 2e-5, 1e-4);
  });
});

test("the nodes average polynomials of the seventh degree as the normal distribution does", () => {
  const { noise, weights } = cubature();
  const moments = { 0: 1, 2: 1, 4: 3, 6: 15 };
  for (let a = 0; a <= 7; a++) {
    for (let b = 0; a + b <= 7; b++) {
      const found = weights.reduce(
        (sum, weight, l) => sum + weight * noise[2 * l] ** a * noise[2 * l + 1] ** b,
        0,
      );
      near(found, (moments[a] ?? 0) * (moments[b] ?? 0), 1e-12, `${a} ${b}`);
    }
  }
});

test("the KL divergence is 0 from the prior, and the paper's formula elsewhere", () => {
  assert.equal(divergence({ mean: [0, 0], deviation: [1, 1] }), 0);
  near(divergence({ mean: [1, 0], deviation: [1, 0.5] }), 0.5 + 0.5 * (0.25 - 1 + Math.log(4)), 1e-12);
});

test("slopes of the ELBO are those of finite differences", () => {
  const joint = someJoint();
  const nodes = cubature();
  const at = (m, s) => elbo(joint, X, { mean: [0.4 + m, -0.2], deviation: [0.3, 0.2 * Math.exp(s)] }, nodes).elbo;
  const { inMean, inLogDeviation } = slopesOfElbo(joint, X, { mean: [0.4, -0.2], deviation: [0.3, 0.2] }, nodes);
  near(inMean[0], (at(1e-5, 0) - at(-1e-5, 0)) / 2e-5, 1e-4);
  near(inLogDeviation[1], (at(0, 1e-5) - at(0, -1e-5)) / 2e-5, 1e-4);
});

test("a climb never goes down, and ends where all slopes are flat", () => {
  const joint = someJoint();
  const nodes = cubature();
  let height = -Infinity;
  let last;
  for (const { q, terms } of climb(joint, X, { mean: [1, 1], deviation: [1, 1] }, nodes, 500)) {
    assert.ok(terms.elbo > height);
    height = terms.elbo;
    last = q;
  }
  const { inMean, inLogDeviation } = slopesOfElbo(joint, X, last, nodes);
  for (const slope of [...inMean, ...inLogDeviation]) near(slope, 0, 0.05);
});

test("both estimates have the slope as their mean, and the pathwise one scatters less", () => {
  const joint = someJoint();
  const q = { mean: [0.4, -0.2], deviation: [0.05, 0.05] };
  const count = 40000;
  const noise = normals(2 * count, seeded(1));
  const { pathwise, score } = estimates(joint, X, q, noise);
  const { inMean } = slopesOfElbo(joint, X, q, cubature());
  const spread = (values, k) => {
    const own = values.filter((_, i) => i % 2 === k);
    const mean = own.reduce((sum, value) => sum + value) / count;
    return [mean, Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count)];
  };
  for (const k of [0, 1]) {
    const [mean, deviation] = spread(pathwise, k);
    const [same, wide] = spread(score, k);
    near(mean, inMean[k], (5 * deviation) / Math.sqrt(count));
    near(same, inMean[k], (5 * wide) / Math.sqrt(count));
    assert.ok(deviation < wide / 5);
  }
});
