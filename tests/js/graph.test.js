import assert from "node:assert/strict";
import { test } from "node:test";

import { StepsDecoder, Steps } from "../../ui/browser/graph.js";

/** Numbers that look drawn at random and are the same each time. */
function numbers(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (1103515245 * state + 12345) % 2 ** 31;
    return state / 2 ** 31 - 0.5;
  });
}

const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

/** What one step gives of a value of a shape. */
function gives(op, from, shape, told = {}, layer = undefined, x = numbers(sizeOf(from), 7)) {
  const counts = layer && [layer.weight.length, layer.bias.length];
  const step = { op, of: [1], sizes: [], values: [], shape, counts, ...told };
  const first = { op: "reshape", of: [0], sizes: from, values: [], shape: from };
  const steps = new Steps(x.length, { steps: [first, step], outputs: [2], log_var: 0 }, layer ? [layer] : []);
  steps.run(numbers(x.length, 3));
  // The second time its buffers are not new.
  const [found] = steps.run(x);
  return { x, found: [...found] };
}

function near(found, wanted) {
  assert.equal(found.length, wanted.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-5, `${value} at ${i}`));
}

const SLIDES = [
  { strides: [1, 1], pads: [1, 1, 1, 1], apart: [1, 1], groups: 1 },
  { strides: [2, 1], pads: [0, 2, 1, 0], apart: [1, 2], groups: 2 },
  { strides: [1, 3], pads: [2, 0, 0, 1], apart: [2, 1], groups: 1 },
];

for (const { strides, pads, apart, groups } of SLIDES) {
  const [rows, columns, high, wide] = [5, 6, 3, 2];
  const told = [high, wide, ...strides, ...pads, ...apart, groups];

  test(`a convolution by ${told} is its definition`, () => {
    const [channels, outputs] = [4, 6];
    const [above, left, below, right] = pads;
    const drawn = [
      Math.floor((rows + above + below - apart[0] * (high - 1) - 1) / strides[0]) + 1,
      Math.floor((columns + left + right - apart[1] * (wide - 1) - 1) / strides[1]) + 1,
    ];
    const each = channels / groups;
    const layer = { weight: numbers(outputs * each * high * wide, 1), bias: numbers(outputs, 2) };
    const shape = [outputs, ...drawn];
    const { x, found } = gives("conv", [channels, rows, columns], shape, { sizes: [outputs, ...told] }, layer);
    const wanted = [];
    for (let o = 0; o < outputs; o++)
      for (let y = 0; y < drawn[0]; y++)
        for (let X = 0; X < drawn[1]; X++) {
          let sum = layer.bias[o];
          for (let c = 0; c < each; c++)
            for (let i = 0; i < high; i++)
              for (let j = 0; j < wide; j++) {
                const [row, column] = [
                  y * strides[0] + i * apart[0] - above,
                  X * strides[1] + j * apart[1] - left,
                ];
                if (row < 0 || column < 0 || row >= rows || column >= columns) continue;
                const from = Math.floor(o / (outputs / groups)) * each + c;
                sum += layer.weight[((o * each + c) * high + i) * wide + j] * x[(from * rows + row) * columns + column];
              }
          wanted.push(sum);
        }
    near(found, wanted);
  });

  test(`a transposed convolution by ${told} is its definition`, () => {
    const [channels, outputs] = [10, 4];
    const [above, left, below, right] = pads;
    const drawn = [
      (rows - 1) * strides[0] - above - below + apart[0] * (high - 1) + 1,
      (columns - 1) * strides[1] - left - right + apart[1] * (wide - 1) + 1 + 1,
    ];
    const [each, own] = [channels / groups, outputs / groups];
    const layer = { weight: numbers(channels * own * high * wide, 1), bias: numbers(outputs, 2) };
    const shape = [outputs, ...drawn];
    const sizes = [outputs, ...told, 0, 1];
    const { x, found } = gives("conv_transpose", [channels, rows, columns], shape, { sizes }, layer);
    const wanted = Float64Array.from({ length: sizeOf(shape) }, (_, i) => layer.bias[Math.floor(i / drawn[0] / drawn[1])]);
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < rows; y++)
        for (let X = 0; X < columns; X++)
          for (let o = 0; o < own; o++)
            for (let i = 0; i < high; i++)
              for (let j = 0; j < wide; j++) {
                const [row, column] = [
                  y * strides[0] + i * apart[0] - above,
                  X * strides[1] + j * apart[1] - left,
                ];
                if (row < 0 || column < 0 || row >= drawn[0] || column >= drawn[1]) continue;
                const to = Math.floor(c / each) * own + o;
                wanted[(to * drawn[0] + row) * drawn[1] + column] +=
                  layer.weight[((c * own + o) * high + i) * wide + j] * x[(c * rows + y) * columns + X];
              }
    near(found, [...wanted]);
  });
}

test("a dense layer is taken along the last axis", () => {
  const layer = { weight: numbers(6, 1), bias: numbers(2, 2) };
  const { x, found } = gives("affine", [4, 3], [4, 2], { sizes: [2] }, layer);
  const wanted = Array.from({ length: 8 }, (_, i) => {
    const [row, out] = [i >> 1, i & 1];
    return [0, 1, 2].reduce((sum, j) => sum + layer.weight[3 * out + j] * x[3 * row + j], layer.bias[out]);
  });
  near(found, wanted);
});

test("a scale is the same along the axes where it has but one number", () => {
  const layer = { weight: numbers(3, 1), bias: numbers(3, 2) };
  const { x, found } = gives("scale", [3, 2, 2], [3, 2, 2], { sizes: [3, 1, 1] }, layer);
  near(found, Array.from(x, (value, i) => value * layer.weight[i >> 2] + layer.bias[i >> 2]));
});

test("what is laid out anew is where it belongs", () => {
  const x = Float32Array.of(0, 1, 2, 3, 4, 5);
  const laid = (op, from, shape, told) => gives(op, from, shape, told, undefined, x).found;
  assert.deepEqual(laid("transpose", [2, 3], [3, 2], { sizes: [1, 0] }), [0, 3, 1, 4, 2, 5]);
  assert.deepEqual(laid("slice", [2, 3], [2, 2], { sizes: [1, 1, 3] }), [1, 2, 4, 5]);
  const beyond = [9, 9, 9, 9, 0, 1, 2, 9, 3, 4, 5, 9];
  assert.deepEqual(laid("pad", [2, 3], [3, 4], { sizes: [1, 0, 0, 1], values: [9] }), beyond);
  const twice = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5];
  assert.deepEqual(laid("resize", [1, 2, 3], [1, 2, 6], { sizes: [1, 2] }), twice);
  const joined = [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5];
  assert.deepEqual(laid("concat", [2, 3], [2, 6], { of: [1, 1], sizes: [1] }), joined);
  assert.deepEqual(laid("mul", [6], [6], { of: [1, 1] }), [0, 1, 4, 9, 16, 25]);
  assert.deepEqual(laid("add", [6], [6], { of: [1, 1] }), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(laid("max_pool", [1, 2, 3], [1, 1, 2], { sizes: [2, 2, 1, 1] }), [4, 5]);
  assert.deepEqual(laid("mean_pool", [1, 2, 3], [1, 1, 2], { sizes: [2, 2, 1, 1] }), [2, 3]);
});

test("a decoder tells the deviation that its steps do not", () => {
  const layer = { weight: Float32Array.of(1, 2), bias: Float32Array.of(0, 1) };
  const steps = [{ op: "affine", of: [0], sizes: [2], values: [], shape: [2], counts: [2, 2] }];
  const decoder = new StepsDecoder(1, 2, { steps, outputs: [1], log_var: 2 * Math.log(0.25) }, [layer]);
  const { mean, deviation } = decoder.decode(Float32Array.of(3), true);
  assert.deepEqual([...mean], [3, 7]);
  assert.deepEqual([...deviation], [0.25, 0.25]);
});
