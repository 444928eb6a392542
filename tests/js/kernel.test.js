import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ConvolutionalDecoder, layerSizes } from "../../ui/browser/convolution.js";
import { Decoder } from "../../ui/browser/decoder.js";
import { Dense } from "../../ui/browser/dense.js";
import { ConvolutionalEncoder, Encoder } from "../../ui/browser/encoder.js";
import { kernel, KernelNumbers, room } from "../../ui/browser/kernel.js";
import { KERNEL } from "../../ui/browser/kernel_bytes.js";
import { Numbers } from "../../ui/browser/numbers.js";
import { assembled } from "./assemble.js";
import { random } from "./networks.js";

const ROOMS = { kernel: () => new KernelNumbers(kernel()), JavaScript: () => new Numbers() };

const near = (found, expected, tolerance = 1e-6) => {
  assert.equal(found.length, expected.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= tolerance, `${i}: ${value}`));
};

test("the kernel's bytes are what its source gives, and few enough to compile at once", async () => {
  const path = new URL("../../ui/browser/kernel_bytes.js", import.meta.url);
  assert.equal(readFileSync(path, "utf8"), await assembled(), "npm run kernel writes them anew");
  // Browsers refuse to compile more than 4 KiB while the page waits.
  assert.ok(atob(KERNEL).length < 4096);
});

test("where there is a kernel, numbers are in its memory", () => {
  assert.ok(room() instanceof KernelNumbers);
});

test("where there is no memory for it, plain arrays hold them", () => {
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class {
    constructor() {
      throw new RangeError("Out of memory");
    }
  };
  try {
    assert.ok(!(room() instanceof KernelNumbers));
  } finally {
    WebAssembly.Instance = Instance;
  }
});

for (const [name, newRoom] of Object.entries(ROOMS)) {
  test(`a dense layer of any size adds up its rows, by ${name}`, () => {
    for (const [width, out] of [[1, 1], [3, 5], [4, 4], [5, 2], [10, 17]]) {
      const [{ weight, bias }] = random([width, out]);
      const numbers = newRoom();
      const place = numbers.take(width);
      const dense = new Dense(numbers, { weight, bias });
      const x = Float32Array.from({ length: width }, (_, j) => Math.cos(j));
      numbers.values.set(x, place);
      const sums = Array.from(bias, (b, i) =>
        x.reduce((sum, value, j) => sum + value * weight[i * width + j], b),
      );
      near(numbers.view(dense.apply(place), out), sums, 1e-5);
      assert.deepEqual(dense.layer(), { weight, bias });
    }
  });

  test(`the curves are what they are called, far out too, by ${name}`, () => {
    const at = [-1e4, -90, -20, -3, -0.5, -1e-3, 0, 1e-3, 0.7, 4, 30, 88, 1e4];
    for (const [curve, of] of Object.entries({
      sigmoid: (x) => 1 / (1 + Math.exp(-x)),
      tanh: Math.tanh,
      relu: (x) => Math.max(x, 0),
      silu: (x) => x / (1 + Math.exp(-x)),
    })) {
      const numbers = newRoom();
      const place = numbers.take(at.length);
      numbers.values.set(at, place);
      numbers.curve(curve, place, at.length);
      numbers.view(place, at.length).forEach((y, i) => {
        const expected = of(at[i]);
        assert.ok(Math.abs(y - expected) <= 2e-7 * Math.max(1, Math.abs(expected)), `${curve} ${y}`);
      });
    }
  });

  test(`what was taken stays where it is when more is, by ${name}`, () => {
    const numbers = newRoom();
    const first = numbers.take(7);
    numbers.values.set([1, 2, 3, 4, 5, 6, 7], first);
    const second = numbers.take(1_000_003);
    assert.deepEqual([...numbers.view(first, 7)], [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(second % 4, 0);
    assert.ok(numbers.view(second, 1_000_003).every((value) => value === 0));
  });
}

/** Of a decoder of convolutions, as of that of cartoon's portraits, but small. */
function convolutions(shape, activation, seed) {
  const convolution = { rows: 5, columns: 4, channels: 6 };
  const colours = shape[2] ?? 1;
  const values = shape.reduce((product, side) => product * side, 1);
  const counts = layerSizes([3, 9, 6 * 5 * 4, 24, 8 * colours], values, convolution);
  let state = seed;
  const next = (size) => {
    state = (state * 48271) % 2147483647;
    return (state / 2147483647 - 0.5) * size;
  };
  const layers = counts.map(({ weight, bias }) => ({
    weight: Float32Array.from({ length: weight }, () => next(1)),
    bias: Float32Array.from({ length: bias }, () => next(1)),
  }));
  return (numbers) => new ConvolutionalDecoder(layers, shape, convolution, activation, numbers);
}

const encoderOf = (activation) => {
  const shape = [9, 14, 3];
  const kernels = [
    { weight: random([12, 9 * 5])[0].weight, bias: random([1, 5])[0].bias },
    { weight: random([20, 9 * 5])[0].weight, bias: random([1, 5])[0].bias },
  ];
  const dense = random([5 * 3 * 4, 11, 8]).map(({ weight, bias }) => ({
    weight: weight.map((w) => w / 8),
    bias,
  }));
  const given = [shape, [...kernels, ...dense], { rows: 3, columns: 4, channels: 5 }];
  const meanImage = new Float32Array(9 * 14 * 3).fill(0.4);
  return (numbers) => new ConvolutionalEncoder(...given, meanImage, activation, numbers);
};

for (const activation of ["tanh", "relu", "silu"]) {
  test(`JavaScript draws and encodes what the kernel does, with ${activation}`, () => {
    const decoders = [
      convolutions([20, 16, 3], activation, 5),
      convolutions([17, 15], activation, 7),
      (numbers) => new Decoder(random([3, 13, 6, 2 * 35]), activation, numbers),
    ];
    for (const newDecoder of decoders) {
      const [swift, plain] = Object.values(ROOMS).map((newRoom) => newDecoder(newRoom()));
      for (const z of [[0, 0, 0], [-2, 1, 0.3]].map((at) => Float32Array.from(at))) {
        const [a, b] = [swift, plain].map((decoder) => decoder.decode(z, true));
        near(a.mean, b.mean, 1e-5);
        a.deviation.forEach((v, i) => near([v / b.deviation[i]], [1], 1e-4));
      }
    }
    const pixels = Float32Array.from({ length: 9 * 14 * 3 }, (_, i) => 0.5 + 0.5 * Math.sin(i));
    for (const newEncoder of [
      encoderOf(activation),
      (numbers) => new Encoder([9, 14, 3], random([378, 12, 6]), activation, numbers),
    ]) {
      const [a, b] = Object.values(ROOMS).map((newRoom) => newEncoder(newRoom()).posterior(pixels));
      near(a.mean, b.mean, 1e-3);
      a.deviation.forEach((v, i) => near([v / b.deviation[i]], [1], 1e-3));
    }
  });
}

test("models in turn leave no memory behind", () => {
  // A page opens one after the other, or one that trains comes again and again. Each reserves
  // gigabytes of addresses, of which a process has some hundred times as many.
  const layers = random([2, 10, 2 * 20_000]);
  const z = Float32Array.of(0.5, -0.5);
  let first;
  for (let turn = 0; turn < 250; turn++) {
    const decoder = new Decoder(layers);
    assert.ok(decoder.numbers instanceof KernelNumbers);
    const { mean } = decoder.decode(z);
    first ??= mean[0];
    assert.equal(mean[0], first);
  }
});
