import assert from "node:assert/strict";
import { test } from "node:test";

import { boxOf, photoUnder, widthAt, zoomOf } from "../../ui/browser/framing.js";

const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-9, `${found}`);

test("the zoom goes from the widest frame to the closest, and back from a width to its place", () => {
  const zoom = { widest: 1.5, closest: 0.05 };
  near(widthAt(0, zoom), 1.5);
  near(widthAt(1, zoom), 0.05);
  for (const at of [0, 0.3, 0.7, 1]) near(zoomOf(widthAt(at, zoom), zoom), at);
});

test("the frame is in the middle, of its proportions, whichever side is the longer", () => {
  for (const aspect of [5 / 7, 2]) {
    const box = boxOf(400, aspect);
    near(box.width / box.height, aspect);
    near(box.left, 400 - box.left - box.width);
    near(box.top, 400 - box.top - box.height);
    near(Math.max(box.width, box.height), 0.78 * 400);
  }
});

test("the photo lies so that the frame's middle is over its part", () => {
  const box = { left: 100, top: 50, width: 200, height: 280 };
  const { left, top, scale } = photoUnder({ x: 0.25, y: 0.5, width: 0.5 }, box, 1000, 800);
  near(scale, 0.4);
  near(left + 0.25 * 1000 * scale, 200);
  near(top + 0.5 * 800 * scale, 190);
});
