import assert from "node:assert/strict";
import { test } from "node:test";

import { Decoder } from "../../ui/browser/decoder.js";
import { Differences, Jacobian } from "../../ui/browser/jacobian.js";
import { random } from "./networks.js";

for (const [latents, hidden] of [[2, [7]], [10, [9, 6]], [20, [12]], [3, []]]) {
  test(`the Jacobian of ${latents} latents and layers of [${hidden}] is that of differences`, () => {
    const decoder = new Decoder(random([latents, ...hidden, 2 * 12]));
    const z = Float32Array.from({ length: latents }, (_, k) => Math.sin(k + 1));
    const jacobian = new Jacobian(decoder).at(z);
    const here = [...decoder.decode(z).mean];
    const plain = new Differences(decoder).at(z);
    const rough = new Float64Array(latents);
    const gradient = new Float64Array(latents);
    const STEP = 1e-2;
    const apart = Array.from({ length: latents }, (_, k) => {
      const [up, down] = [STEP, -STEP].map((step) => {
        const moved = Float32Array.from(z);
        moved[k] += step;
        return Float64Array.from(decoder.decode(moved).mean);
      });
      return up.map((value, i) => (value - down[i]) / (2 * STEP));
    });
    for (let i = 0; i < 12; i++) {
      assert.ok(Math.abs(jacobian.value(i, gradient) - here[i]) < 1e-6);
      assert.ok(Math.abs(plain.value(i, rough) - here[i]) < 1e-6);
      gradient.forEach((slope, k) => assert.ok(Math.abs(slope - apart[k][i]) < 2e-3, `${slope}`));
      rough.forEach((slope, k) => assert.ok(Math.abs(slope - apart[k][i]) < 0.03, `${slope}`));
    }
  });
}

for (const activation of ["relu", "silu"]) {
  test(`it knows ${activation}`, () => {
    const layers = random([2, 8, 6]);
    const jacobian = (/** @type {number[]} */ z) => {
      const decoder = new Decoder(layers, activation);
      const gradient = new Float64Array(2);
      const mean = new Jacobian(decoder).at(Float32Array.from(z)).value(1, gradient);
      return { mean, gradient };
    };
    const { gradient } = jacobian([0.3, -0.6]);
    const slope = (jacobian([0.31, -0.6]).mean - jacobian([0.29, -0.6]).mean) / 0.02;
    assert.ok(Math.abs(gradient[0] - slope) < 2e-4, `${gradient[0]} ${slope}`);
  });
}
