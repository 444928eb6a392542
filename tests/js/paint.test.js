import assert from "node:assert/strict";
import { test } from "node:test";

import { colour, heat, inferno } from "../../ui/browser/paint.js";

/** matplotlib's inferno, as it lists it. */
const LISTED = { 0: [0, 0, 4], 64: [87, 16, 110], 128: [188, 55, 84], 192: [249, 142, 9] };

test("the colour map is inferno within a few of 255 shades", () => {
  for (const [i, rgb] of Object.entries(LISTED)) {
    const found = inferno.slice(3 * i, 3 * i + 3);
    rgb.forEach((value, channel) => assert.ok(Math.abs(found[channel] - value) <= 8, `${found}`));
  }
});

test("grey pixels become opaque grey, and values outside of [0, 1] its ends", () => {
  const rgba = new Uint8ClampedArray(12);
  colour(Float32Array.of(0.5, -1, 2), 1, rgba);
  assert.deepEqual([...rgba], [128, 128, 128, 255, 0, 0, 0, 255, 255, 255, 255, 255]);
});

test("colours stay in their channels", () => {
  const rgba = new Uint8ClampedArray(4);
  colour(Float32Array.of(0, 0.2, 1), 3, rgba);
  assert.deepEqual([...rgba], [0, 51, 255, 255]);
});

test("heat ends at the ceiling, and is the mean of a pixel's channels", () => {
  const rgba = new Uint8ClampedArray(8);
  heat(Float32Array.of(0, 5), 1, 0.1, rgba);
  assert.deepEqual([...rgba], [...inferno.slice(0, 3), 255, ...inferno.slice(-3), 255]);
  const mixed = new Uint8ClampedArray(4);
  heat(Float32Array.of(0, 0.1, 0.2), 3, 0.2, mixed);
  assert.deepEqual([...mixed.slice(0, 3)], [...inferno.slice(3 * 128, 3 * 128 + 3)]);
});
