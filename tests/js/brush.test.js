import assert from "node:assert/strict";
import { test } from "node:test";

import { Decoder } from "../../ui/browser/decoder.js";
import { Nearest, solve } from "../../ui/browser/nearest.js";
import { Strokes } from "../../ui/browser/strokes.js";
import { random } from "./networks.js";

const SHAPE = [6, 5];

function modelOf(latents, shape = SHAPE, points = new Float32Array()) {
  const values = shape.reduce((product, side) => product * side, 1);
  const layers = random([latents, 24, 2 * values]);
  // As sure of its pixels as a trained one is.
  layers[1].bias.fill(-7, values);
  return { decoder: new Decoder(layers), latents, shape, points };
}

const meanAt = ({ decoder }, z) => Float32Array.from(decoder.decode(z).mean);

/** Steps until it has arrived. */
function answer(model, strokes, home) {
  const nearest = new Nearest(model, home);
  nearest.want(strokes);
  let z = Float32Array.from(home);
  for (let i = 0; i < 100; i++) {
    const step = nearest.step(z);
    z = step.z;
    if (step.arrived) break;
  }
  return { z, nearest };
}

test("a system is solved", () => {
  const a = [[4, 1], [1, 3]].map((row) => Float64Array.from(row));
  const x = solve(a, Float64Array.of(9, 5), 0);
  assert.ok(Math.abs(x[0] - 2) < 1e-12 && Math.abs(x[1] - 1) < 1e-12);
});

test("a touch is firm in its middle, and the least one has a pixel", () => {
  const strokes = new Strokes(SHAPE);
  strokes.shade({ x: 2.5, y: 3.5, radius: 0.1 }, 1, new Float32Array(30).fill(0.5));
  assert.equal(strokes.firmness[3 * 5 + 2], 1);
  assert.equal(strokes.firmness.filter((firm) => firm > 0).length, 1);
  assert.ok(Math.abs(strokes.wanted[3 * 5 + 2] - 0.95) < 1e-6);
  const before = strokes.copy();
  strokes.erase({ x: 2.5, y: 3.5, radius: 3 });
  assert.equal(strokes.firmness[3 * 5 + 2], 0);
  assert.equal(before.firmness[3 * 5 + 2], 1);
  // Beyond the image there is nothing to touch.
  strokes.shade({ x: -40, y: 99, radius: 2 }, -1, new Float32Array(30));
  assert.ok(strokes.firmness.every((firm) => !firm));
});

test("a colour is asked for in all its channels", () => {
  const strokes = new Strokes([2, 2, 3]);
  strokes.dye({ x: 1.5, y: 0.5, radius: 0.1 }, [1, 0.5, 0]);
  assert.deepEqual([...strokes.wanted.slice(3, 6)], [1, 0.5, 0]);
  assert.deepEqual([...strokes.firmness], [0, 1, 0, 0]);
});

for (const latents of [2, 10, 20]) {
  test(`with ${latents} latents the face takes up what another face has there`, () => {
    const model = modelOf(latents);
    const home = new Float32Array(latents);
    const from = meanAt(model, home);
    const there = Float32Array.from({ length: latents }, (_, k) => 0.8 * Math.cos(3 * k));
    const strokes = new Strokes(SHAPE);
    strokes.wanted.set(meanAt(model, there));
    strokes.firmness.fill(1, 5, 20);
    const { z } = answer(model, strokes, home);
    const to = meanAt(model, z);
    const off = (/** @type {Float32Array} */ face) =>
      face.slice(5, 20).reduce((sum, x, i) => sum + (x - strokes.wanted[5 + i]) ** 2, 0);
    assert.ok(off(to) < 0.5 * off(from), `${off(to)} of ${off(from)}`);
  });
}

test("the slope is that of what is made small", () => {
  const model = modelOf(3);
  const nearest = new Nearest(model, Float32Array.of(0.4, -0.2, 0.1));
  const strokes = new Strokes(SHAPE);
  strokes.firmness.fill(1);
  nearest.want(strokes);
  const z = Float32Array.of(0.2, 0.5, -0.7);
  const { slope } = nearest.judge(z);
  for (let k = 0; k < 3; k++) {
    const [up, down] = [0.01, -0.01].map((step) => {
      const moved = Float32Array.from(z);
      moved[k] += step;
      return nearest.judge(moved).energy;
    });
    const expected = -(up - down) / 0.04;
    assert.ok(Math.abs(slope[k] - expected) < 0.02 * Math.abs(expected) + 0.02);
  }
});

test("nothing painted leaves the face, but for the prior", () => {
  const model = modelOf(2);
  const { z } = answer(model, new Strokes(SHAPE), new Float32Array(2));
  assert.ok(Math.hypot(...z) < 1e-3);
});

test("any scribble ends at a point, no further out than the model's faces", () => {
  let state = 7;
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (const latents of [1, 2, 20]) {
    const points = Float32Array.from({ length: 200 * latents }, () => 2 * next() - 1);
    for (const shape of [SHAPE, [4, 4, 3]]) {
      const model = modelOf(latents, shape, points);
      const face = meanAt(model, new Float32Array(latents));
      for (let scribble = 0; scribble < 10; scribble++) {
        const strokes = new Strokes(shape);
        for (let i = 0; i < 30; i++) {
          const touch = { x: 8 * next() - 1, y: 8 * next() - 1, radius: 2 * next() };
          if (next() < 0.2) strokes.erase(touch);
          else if (next() < 0.3) strokes.dye(touch, [next(), next(), next()]);
          else strokes.shade(touch, next() < 0.5 ? 1 : -1, face);
        }
        const { z, nearest } = answer(model, strokes, new Float32Array(latents));
        assert.ok(z.every(Number.isFinite));
        assert.ok(Math.hypot(...z) <= nearest.farthest + 1e-4);
        assert.ok(nearest.farthest <= Math.sqrt(latents));
      }
    }
  }
});

test("a decoder that breaks down leaves z where it was", () => {
  const model = modelOf(2);
  const layers = model.decoder.layers();
  layers[1].bias.fill(NaN);
  model.decoder = new Decoder(layers);
  const strokes = new Strokes(SHAPE);
  strokes.firmness.fill(1);
  const { z } = answer(model, strokes, Float32Array.of(1, -1));
  assert.deepEqual([...z], [1, -1]);
});
