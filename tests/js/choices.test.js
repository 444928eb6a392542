import assert from "node:assert/strict";
import { test } from "node:test";

import { read } from "../../ui/browser/choices.js";
import { named, tuple } from "../../ui/browser/words.js";

const AT_FIRST = { faces: true, points: true, arrows: true, grain: "smooth" };

test("what a browser holds may be anything", () => {
  for (const text of [null, "null", "{", "7", '"x"', '{"faces": "no", "grain": 3}']) {
    assert.deepEqual(read(text), AT_FIRST);
  }
  const chosen = { ...AT_FIRST, arrows: false, grain: "pixels" };
  assert.deepEqual(read(JSON.stringify(chosen)), chosen);
});

test("latents are named from one, with a minus that is one", () => {
  assert.equal(named(0), "z₁");
  assert.equal(named(19), "z₂₀");
  assert.equal(tuple(Float32Array.of(-0.001, -1.5)), "(0.00, −1.50)");
});
