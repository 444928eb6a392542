import assert from "node:assert/strict";
import { test } from "node:test";

import { ServedDecoder } from "../../ui/browser/served.js";

/** A decoder of one value whose questions are kept. */
function decoder() {
  const made = new ServedDecoder(1);
  const asked = [];
  made.ask = (question) => asked.push(question) > 0;
  const answer = (problem = "") => {
    const { serial, points } = asked[asked.length - 1];
    const frames = problem ? [] : points.map(([z]) => Uint8Array.of(z));
    made.take({ serial, frames, problem });
  };
  return { made, asked, answer };
}

const at = (z) => Float32Array.of(z);

test("one question is under way, and the next is where z is by then", () => {
  const { made, asked, answer } = decoder();
  for (const z of [1, 2, 3, 4]) made.decode(at(z));
  assert.deepEqual(asked.map(({ points }) => points[0][0]), [1]);
  answer();
  assert.equal(made.mean[0], Math.fround(1 / 255));
  assert.deepEqual(asked.map(({ points }) => points[0][0]), [1, 4]);
  answer();
  assert.equal(made.mean[0], Math.fround(4 / 255));
  assert.equal(asked.length, 2);
  // What is known is not asked for again.
  made.decode(at(1));
  assert.equal(asked.length, 2);
  assert.equal(made.mean[0], Math.fround(1 / 255));
  made.end();
});

test("faces beside it are drawn when they come, and all at once", () => {
  const { made, asked, answer } = decoder();
  const drawn = [];
  made.decode(at(1));
  for (const z of [7, 8]) made.later(at(z), (pixels) => drawn.push(Math.round(255 * pixels[0])));
  answer();
  assert.deepEqual(asked[1].points, [[7], [8]]);
  answer();
  assert.deepEqual(drawn, [7, 8]);
  made.end();
});

test("an answer to another question changes nothing, and a failed one is not asked again", () => {
  const { made, asked, answer } = decoder();
  const told = [];
  made.onAnswer = (problem) => told.push(problem);
  made.decode(at(1));
  made.take({ serial: -1, frames: [Uint8Array.of(9)], problem: "" });
  assert.deepEqual(told, []);
  answer("It fails.");
  assert.deepEqual(told, ["It fails."]);
  assert.equal(asked.length, 1);
  made.decode(at(2));
  assert.equal(asked.length, 2);
  made.end();
});

test("what nobody has brought to the server is asked for as soon as there is a way", () => {
  const { made, asked } = decoder();
  const way = made.ask;
  made.ask = () => false;
  made.decode(at(3));
  made.ask = way;
  made.take({ serial: 0, frames: [], problem: "" });
  assert.deepEqual(asked.map(({ points }) => points), [[[3]]]);
  made.end();
});
