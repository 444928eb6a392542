import assert from "node:assert/strict";
import { test } from "node:test";

import { latentPoint, unpack } from "../../ui/browser/model.js";
import { readHeader, widened } from "../../ui/browser/packed.js";

const HEADER = {
  channel: "pad",
  model: "faces",
  version: "7",
  shape: [1, 1],
  sizes: [2, 2],
  points: 3,
  unit: 0.001,
  extent: 4,
};

/** A model as `pack` in ui/latent_pad.py writes it: of one pixel, with a head alone. */
function packed(header = HEADER, weights = [1, 2, 3, 4, 5, 6], steps = [-32767, 32767, 0, 1, 2, 3]) {
  let text = JSON.stringify(header);
  text += " ".repeat((4 - (text.length % 4)) % 4);
  const buffer = new ArrayBuffer(4 + text.length + 4 * weights.length + 2 * steps.length);
  const view = new DataView(buffer);
  view.setUint32(0, text.length, true);
  new TextEncoder().encodeInto(text, new Uint8Array(buffer, 4));
  weights.forEach((value, i) => view.setFloat32(4 + text.length + 4 * i, value, true));
  const from = 4 + text.length + 4 * weights.length;
  steps.forEach((value, i) => view.setInt16(from + 2 * i, value, true));
  return buffer;
}

test("the header is read wherever the bytes begin", () => {
  const buffer = packed();
  const bytes = new Uint8Array(buffer.byteLength + 3);
  bytes.set(new Uint8Array(buffer), 3);
  assert.deepEqual(readHeader(bytes.subarray(3)).header, HEADER);
});

test("weights and quantised means are where they were put", () => {
  const model = unpack(packed());
  assert.equal(model.latents, 2);
  const [head] = model.decoder.layers();
  assert.deepEqual([...head.weight], [1, 2, 3, 4]);
  assert.deepEqual([...head.bias], [5, 6]);
  const expected = [-32.767, 32.767, 0, 0.001, 0.002, 0.003];
  model.points.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5));
  assert.deepEqual([...latentPoint(model, 1)], [...model.points.slice(2, 4)]);
});

test("numbers of float16 are what they stand for", () => {
  const halves = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).filter(
    (half) => (half & 0x7c00) !== 0x7c00,
  );
  widened(halves).forEach((value, i) => {
    const [exponent, digits] = [(halves[i] >> 10) & 31, halves[i] & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + digits / 1024) : 2 ** -14 * (digits / 1024);
    assert.equal(value, halves[i] >> 15 ? -size : size);
  });
});

test("weights of float16 are read beside biases of float32", () => {
  // 1 and 2, −0.5 and 2⁻²⁴: two numbers of float16 are the bits of one of float32.
  const bits = new Uint32Array([0x40003c00, 0x0001b800]);
  const weights = [...new Float32Array(bits.buffer), 5, 6];
  const model = unpack(packed({ ...HEADER, half: true }, weights));
  const [head] = model.decoder.layers();
  assert.deepEqual([...head.weight], [1, 2, -0.5, 2 ** -24]);
  assert.deepEqual([...head.bias], [5, 6]);
  assert.ok(Math.abs(model.points[0] + 32.767) < 1e-4);
});

test("bytes that are cut short are refused", () => {
  const buffer = packed();
  assert.throws(() => unpack(buffer.slice(0, buffer.byteLength - 8)), RangeError);
});

test("without a posterior a point is a sample of the prior", () => {
  const model = unpack(packed({ ...HEADER, points: 0 }, undefined, []));
  const drawn = Array.from({ length: 5000 }, () => [...latentPoint(model, 0)]).flat();
  const mean = drawn.reduce((sum, x) => sum + x, 0) / drawn.length;
  const variance = drawn.reduce((sum, x) => sum + (x - mean) ** 2, 0) / drawn.length;
  assert.ok(Math.abs(mean) < 0.08 && Math.abs(variance - 1) < 0.12, `${mean} ${variance}`);
});
