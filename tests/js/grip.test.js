import assert from "node:assert/strict";
import { test } from "node:test";

import { crowdOf } from "../../ui/browser/crowd.js";
import { Grip } from "../../ui/browser/grip.js";

/** A face that is a spot: the latents say where it is, and how light all of it. */
function spotted(shape, points = new Float32Array()) {
  const [height, width, channels = 1] = shape;
  const mean = new Float32Array(height * width * channels);
  const spread = width / 12;
  return {
    shape,
    latents: 3,
    points,
    decoder: {
      mean,
      deviation: new Float32Array(mean.length).fill(0.05),
      decode([right, down, light]) {
        const [x, y] = [width / 2 + (right * width) / 20, height / 2 + (down * width) / 20];
        for (let i = 0; i < mean.length; i++) {
          const pixel = Math.floor(i / channels);
          const [across, below] = [(pixel % width) + 0.5 - x, Math.floor(pixel / width) + 0.5 - y];
          const square = (across ** 2 + below ** 2) / (2 * spread ** 2);
          mean[i] = 0.3 + 0.1 * light + 0.4 * Math.exp(-square);
        }
        return this;
      },
    },
  };
}

/** z once what is held is under the finger, which goes there in steps. */
function pulled(model, from, by, home = new Float32Array(3)) {
  const grip = new Grip(model, home, from);
  let z = home;
  for (let move = 1; move <= 10; move++) {
    const finger = { x: from.x + (move / 10) * by[0], y: from.y + (move / 10) * by[1] };
    for (let i = 0; i < 20; i++) {
      const step = grip.step(z, finger);
      z = step.z;
      if (step.arrived) break;
    }
  }
  return { grip, z };
}

for (const shape of [[28, 20], [48, 64, 3]]) {
  test(`what is held comes along on ${shape.join(" × ")}`, () => {
    const [height, width] = shape;
    for (const [right, down] of [[1, 0], [-0.5, -1], [0, 1.5]]) {
      const by = [(right * width) / 20, (down * width) / 20];
      const { grip, z } = pulled(spotted(shape), { x: width / 2, y: height / 2 }, by);
      assert.ok(Math.abs(z[0] - right) < 0.35 && Math.abs(z[1] - down) < 0.35, `${z}`);
      assert.ok(Math.abs(z[2]) < 0.2, "and no lighter for it");
      assert.ok(grip.away({ x: width / 2 + by[0], y: height / 2 + by[1] }) < 0.025 * width);
    }
  });
}

test("where there is nothing to hold, nothing goes far, and all stays finite", () => {
  const model = spotted([28, 20]);
  for (const from of [{ x: 0, y: 0 }, { x: 20, y: 28 }, { x: 3, y: 25 }]) {
    for (const by of [[9, 3], [-40, 60], [0, -28]]) {
      const { z } = pulled(model, from, by);
      assert.ok(z.every(Number.isFinite) && Math.hypot(...z) <= Math.sqrt(3) + 2, `${z}`);
    }
  }
});

test("a finger that has not moved moves nothing", () => {
  const home = Float32Array.of(0.4, -0.2, 1);
  const { z } = pulled(spotted([28, 20]), { x: 11, y: 13 }, [0, 0], home);
  assert.deepEqual([...z], [...home]);
});

test("the crowd leans towards its faces, as steeply as its energy says", () => {
  const points = Float32Array.from({ length: 40 }, (_, i) => Math.sin(7 * i));
  const lean = crowdOf({ points, latents: 2 });
  const z = Float32Array.of(0.9, 1.7);
  const { slope } = lean(z);
  for (let k = 0; k < 2; k++) {
    const [up, down] = [0.01, -0.01].map((step) => {
      const moved = Float32Array.from(z);
      moved[k] += step;
      return lean(moved).energy;
    });
    const expected = -(up - down) / 0.04;
    assert.ok(Math.abs(slope[k] - expected) < 0.02 * Math.abs(expected) + 0.01);
  }
  // One that carries no faces leans towards the origin.
  const alone = crowdOf({ points: new Float32Array(), latents: 2 })(z);
  assert.ok(alone.slope[0] < 0 && alone.slope[1] < 0);
  // One face has no next one.
  const single = crowdOf({ points: Float32Array.of(1, 1), latents: 2 })(z);
  assert.ok(Number.isFinite(single.energy) && single.slope.every(Number.isFinite));
});
