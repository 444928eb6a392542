/**
 * How long a face takes to decode: by the kernel, and in plain JavaScript.
 *
 *     node benchmarks/decode.js
 *
 * For each network, in turns: the median of its decodings and their tenth percentile, in ms. The
 * weights are drawn at random, which costs what trained ones do.
 */

import { ConvolutionalDecoder, layerSizes } from "../ui/browser/convolution.js";
import { Decoder } from "../ui/browser/decoder.js";
import { kernel, KernelNumbers } from "../ui/browser/kernel.js";
import { Numbers } from "../ui/browser/numbers.js";

const TURNS = 100;
const LATENTS = 10;

const drawn = (/** @type {number} */ length) =>
  Float32Array.from({ length }, () => 0.2 * (Math.random() - 0.5));

/** As `WIDTHS` in vae/models/conv.py. */
const WIDTHS = { small: [8, 128], medium: [16, 200], large: [32, 320] };

const portraits = Object.entries(WIDTHS).map(([width, [channels, units]]) => {
  const shape = [64, 64, 3];
  const sizes = [LATENTS, units, 256 * channels, 4 * channels, 24];
  const convolution = { rows: 16, columns: 16, channels };
  const layers = layerSizes(sizes, 64 * 64 * 3, convolution).map(({ weight, bias }) => ({
    weight: drawn(weight),
    bias: drawn(bias),
  }));
  return {
    name: `conv ${width}, 64×64×3`,
    of: (/** @type {Numbers} */ numbers) =>
      new ConvolutionalDecoder(layers, shape, convolution, "tanh", numbers),
  };
});

const perceptrons = [[200, 1120], [500, 200, 1120], [500, 24576]].map((units) => {
  const layers = units.map((out, depth) => ({
    weight: drawn(out * (depth ? units[depth - 1] : LATENTS)),
    bias: drawn(out),
  }));
  return {
    name: `mlp ${units.slice(0, -1)}, ${units[units.length - 1] / 2} values`,
    of: (/** @type {Numbers} */ numbers) => new Decoder(layers, "tanh", numbers),
  };
});

const compiled = kernel();
if (!compiled) throw new Error("This Node runs no SIMD.");
for (const { name, of } of [...portraits, ...perceptrons]) {
  const decoders = [of(new KernelNumbers(compiled)), of(new Numbers())];
  /** @type {number[][]} */
  const taken = [[], []];
  for (let turn = 0; turn < TURNS; turn++) {
    const z = drawn(LATENTS);
    decoders.forEach((decoder, i) => {
      const start = performance.now();
      decoder.decode(z);
      // The first ones are compiled as they run.
      if (turn >= TURNS / 4) taken[i].push(performance.now() - start);
    });
  }
  const [fast, plain] = taken.map((times) => {
    times.sort((a, b) => a - b);
    const [tenth, median] = [0.1, 0.5].map((share) => times[Math.floor(share * times.length)]);
    return `${median.toFixed(2)} (${tenth.toFixed(2)})`;
  });
  console.log(`${name.padEnd(26)}  kernel ${fast.padEnd(14)}  JavaScript ${plain}`);
}
