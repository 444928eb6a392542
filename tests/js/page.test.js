import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting, readLink, writtenLink } from "../../ui/browser/page_link.js";
import { quantile, sheetAxis } from "../../ui/browser/sheet.js";

test("a link says what it was given", () => {
  const wish = { model: "a b", z: [0.5, -1.25], pins: [[1, 2], [0, -3]], axes: [1, 0] };
  assert.deepEqual(readLink(writtenLink(wish)), wish);
  assert.equal(writtenLink({ z: [-0.0001, 2], axes: [0, 1] }), "#z=0,2");
  const data = { z: [1, 2, 3], axes: [-1, -2] };
  assert.equal(writtenLink(data), "#z=1,2,3&axes=data");
  assert.deepEqual(readLink("#z=1,2,3&axes=data"), data);
});

test("what is no number asks for nothing", () => {
  for (const hash of ["", "#", "#z=", "#z=1,x", "#z=1e9", "#z=NaN", "#pins=;", "#other"]) {
    assert.deepEqual(readLink(hash), {});
  }
});

test("a model grants what it has latents for", () => {
  const wish = { z: [1, 2, 3], pins: [[1, 2], [1]], axes: [0, 2] };
  assert.deepEqual(fitting(wish, 2), { granted: { pins: [[1, 2]] }, whole: false });
  assert.deepEqual(fitting({ axes: [-1, -2] }, 2), { granted: {}, whole: false });
  assert.deepEqual(fitting({ axes: [-1, -2] }, 3), { granted: { axes: [-1, -2] }, whole: true });
  assert.deepEqual(fitting({ z: [1, 2] }, 2), { granted: { z: [1, 2] }, whole: true });
});

test("the quantile is the normal distribution's", () => {
  // scipy.stats.norm.ppf
  for (const [p, z] of [[0.5, 0], [0.05, -1.6448536269514729], [0.001, -3.090232306167813]]) {
    assert.ok(Math.abs(quantile(p) - z) < 1e-7);
    assert.ok(Math.abs(quantile(1 - p) + z) < 1e-7);
  }
  assert.deepEqual(sheetAxis(1), [0]);
});
