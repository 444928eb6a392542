import assert from "node:assert/strict";
import { test } from "node:test";

import { ConvolutionalDecoder, layerSizes } from "../../ui/browser/convolution.js";

/** Numbers that look drawn at random and are the same each time. */
function numbers(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (1103515245 * state + 12345) % 2 ** 31;
    return (state / 2 ** 31 - 0.5) * 0.8;
  });
}

/** A plane a channel, read as zeros beyond the edges. */
const at = (planes, channel, y, x) => planes[channel][y]?.[x] ?? 0;

/** The sub-pixel convolution by its definition. */
function enlarged(planes, { weight, bias }) {
  const channels = planes.length;
  const outputs = weight.length / channels / 9;
  const [height, width] = [planes[0].length, planes[0][0].length];
  return Array.from({ length: outputs / 4 }, (_plane, to) =>
    Array.from({ length: 2 * height }, (_row, Y) =>
      Array.from({ length: 2 * width }, (_, X) => {
        const output = 4 * to + 2 * (Y % 2) + (X % 2);
        let sum = bias?.[output] ?? 0;
        for (let from = 0; from < channels; from++)
          for (let dy = 0; dy < 3; dy++)
            for (let dx = 0; dx < 3; dx++)
              sum +=
                weight[((output * channels + from) * 3 + dy) * 3 + dx] *
                at(planes, from, (Y >> 1) + dy - 1, (X >> 1) + dx - 1);
        return sum;
      }),
    ),
  );
}

/** What a decoder gives, by the definition of each of its layers. */
function expected(layers, shape, { rows, columns, channels }, z, activation) {
  const affine = ({ weight, bias }, x) =>
    Array.from(bias, (b, i) => x.reduce((sum, value, j) => sum + value * weight[i * x.length + j], b));
  let x = [...z];
  for (const layer of layers.slice(0, 2)) x = affine(layer, x).map(activation);
  let planes = Array.from({ length: channels }, (_plane, c) =>
    Array.from({ length: rows }, (_, y) => x.slice((c * rows + y) * columns).slice(0, columns)),
  );
  for (const layer of layers.slice(2, -1))
    planes = enlarged(planes, layer).map((plane) => plane.map((row) => row.map(activation)));
  const { weight, bias } = layers[layers.length - 1];
  planes = enlarged(planes, { weight });
  const [height, width, colours = 1] = shape;
  const outputs = Array.from(bias, (own, i) => {
    const place = i % (height * width * colours);
    const half = i < bias.length / 2 ? 0 : colours;
    const [y, rest] = [Math.floor(place / (width * colours)), place % (width * colours)];
    return planes[half + (rest % colours)][y][Math.floor(rest / colours)] + own;
  });
  return {
    mean: outputs.slice(0, bias.length / 2).map((v) => 1 / (1 + Math.exp(-v))),
    deviation: outputs.slice(bias.length / 2).map((v) => Math.exp(v / 2)),
  };
}

const CASES = [
  { shape: [10, 12, 3], rows: 3, columns: 3, stages: 2, activation: "tanh", by: Math.tanh },
  { shape: [7, 19], rows: 2, columns: 5, stages: 2, activation: "relu", by: (v) => Math.max(v, 0) },
  {
    shape: [24, 15, 3],
    rows: 3,
    columns: 2,
    stages: 3,
    activation: "silu",
    by: (v) => v / (1 + Math.exp(-v)),
  },
];

for (const { shape, rows, columns, stages, activation, by } of CASES) {
  test(`images of ${shape.join("×")} are what the layers' definitions say, with ${activation}`, () => {
    const [channels, colours] = [3, shape[2] ?? 1];
    const sizes = [2, 5, channels * rows * columns];
    for (let stage = 1; stage < stages; stage++) sizes.push(4 * channels);
    sizes.push(8 * colours);
    const values = shape.reduce((product, side) => product * side, 1);
    const convolution = { rows, columns, channels };
    const layers = layerSizes(sizes, values, convolution).map(({ weight, bias }, place) => ({
      weight: numbers(weight, 2 * place + 1),
      bias: numbers(bias, 2 * place + 2),
    }));
    const decoder = new ConvolutionalDecoder(layers, shape, convolution, activation);
    // The second time its buffers are not new.
    for (const z of [Float32Array.of(2, -1), Float32Array.of(-0.5, 1.5)]) {
      const { mean, deviation } = decoder.decode(z, true);
      const wanted = expected(layers, shape, convolution, z, by);
      assert.equal(mean.length, values);
      mean.forEach((v, i) => assert.ok(Math.abs(v - wanted.mean[i]) < 1e-5, `${v} at ${i}`));
      deviation.forEach((v, i) => assert.ok(Math.abs(v - wanted.deviation[i]) < 1e-4, `${v}`));
    }
  });
}
