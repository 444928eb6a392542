import assert from "node:assert/strict";
import { test } from "node:test";

import { histogram } from "../../ui/browser/chart.js";
import { stepOf } from "../../ui/browser/hands.js";
import { cellsOf, moveToCell } from "../../ui/browser/manifold.js";
import { placed } from "../../ui/browser/overlay.js";
import { extentFor, project, unproject, withAxis } from "../../ui/browser/projection.js";

const PLANE = { axes: [0, 1], extent: 4, side: 200 };

test("the origin is in the middle, and up is up", () => {
  assert.deepEqual(project([0, 0], PLANE), [100, 100]);
  assert.deepEqual(project([4, 4], PLANE), [200, 0]);
  assert.deepEqual(project([9, 9, -4, 2], { ...PLANE, axes: [2, 3] }), [0, 50]);
  assert.deepEqual(project([2], { ...PLANE, axes: [0] }), [150, 100]);
});

test("a place of the window is the point that is drawn there", () => {
  const box = { left: 30, top: 50, width: 200, height: 200 };
  for (const z of [[0, 0], [-3.5, 1.25], [4, -4]]) {
    const [x, y] = project(z, PLANE);
    assert.deepEqual(unproject({ clientX: 30 + x, clientY: 50 + y }, box, 4), z);
  }
  assert.deepEqual(unproject({ clientX: -900, clientY: 900 }, box, 4), [-4, -4]);
});

test("the plane is as wide as the data ask for, or as the points do", () => {
  const at = (...z) => Float32Array.from(z);
  assert.equal(extentFor(4, [at(1, -4)]), 4);
  assert.equal(extentFor(4, [at(0, 0), at(1, -20)]), 23);
});

test("the axis that had a latent takes the other's", () => {
  assert.deepEqual(withAxis([0, 1], 0, 2), [2, 1]);
  assert.deepEqual(withAxis([0, 1], 0, 1), [1, 0]);
});

test("arrow keys move the latent of their axis", () => {
  assert.deepEqual(stepOf({ key: "ArrowUp", shiftKey: false }, 2, 5), [5, 0.05]);
  assert.deepEqual(stepOf({ key: "ArrowLeft", shiftKey: true }, 2, 5), [2, -0.5]);
  assert.deepEqual(stepOf({ key: "ArrowDown", shiftKey: false }, 3), [3, -0.05]);
  assert.equal(stepOf({ key: "Home", shiftKey: false }, 0, 1), undefined);
});

test("the manifold's cells cover the plane, each with the point at its middle", () => {
  const view = { model: { shape: [28, 20] }, axes: [1, 2], extent: 4, own: 4, side: 520 };
  const cells = cellsOf(view);
  assert.equal(cells.columns, 20);
  assert.ok(Math.abs(cells.tall * cells.rows - 520) < 1e-9);
  const z = Float32Array.of(0.7, 0, 0);
  moveToCell(z, view, cells, 0, 0);
  const [x, y] = project(z, view);
  assert.ok(Math.abs(x - cells.wide / 2) < 1e-3 && Math.abs(y - cells.tall / 2) < 1e-3);
  assert.equal(z[0], Math.fround(0.7));
});

test("a histogram is a density", () => {
  const heights = histogram(Float32Array.of(-3.9, 0.1, 0.1, 3.9), 4, 8);
  assert.equal(heights.reduce((sum, height) => sum + height, 0), 1);
  assert.deepEqual([heights[0], heights[4], heights[7]], [0.25, 0.5, 0.25]);
  assert.ok(histogram(new Float32Array(), 4, 8).every((height) => height === 0));
});

test("labels of arrows lie beyond the cursor, on the plane and on no other", () => {
  const labels = ["most", "least"];
  const tips = [-300, -40, -3, 0, 2, 15, 90, 300];
  for (const [x1, y1] of [[100, 100], [3, 4], [198, 150]]) {
    for (const [a, b, c, d] of tips.flatMap((x) => tips.map((y) => [x, y, y + 1, x - 2]))) {
      const ends = [[a, b], [c, d]].map(([x, y]) => ({ x1, y1, x2: x1 + x, y2: y1 + y }));
      const [most, least] = placed(ends, labels, 200);
      for (const { x, y, width } of [most, least]) {
        assert.ok(x >= 0 && x + width <= 200 && y >= 7 && y <= 193, `${x} ${y}`);
      }
      const apart = most.x + most.width < least.x || least.x + least.width < most.x;
      assert.ok(apart || Math.abs(most.y - least.y) > 13.9, `${a} ${b}`);
    }
  }
  const short = [{ x1: 100, y1: 100, x2: 101, y2: 100 }, { x1: 100, y1: 100, x2: 99, y2: 100 }];
  const [most, least] = placed(short, labels, 200);
  assert.ok(most.x >= 120 && least.x + least.width <= 80);
});
