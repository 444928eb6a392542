/** The encoder: from an image to its posterior, as the library's model has it. */

/** @import { Layer } from "./decoder.js" */

import { activations, affine } from "./decoder.js";
import { readHeader } from "./model.js";

export class Encoder {
  /**
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {Layer[]} layers  The hidden ones, then the head: means above log-variances.
   * @param {string} activation  The name of what follows each hidden one.
   */
  constructor(shape, layers, activation = "tanh") {
    this.activate = activations[activation];
    this.shape = shape;
    this.layers = layers;
  }

  /**
   * The posterior of an image.
   *
   * @param {Uint8Array} bytes  D grey levels or colours, row by row.
   * @returns {{mean: Float32Array, deviation: Float32Array}}  K each.
   */
  encode(bytes) {
    return this.posterior(Float32Array.from(bytes, (byte) => byte / 255));
  }

  /**
   * The posterior of pixels that are no whole grey levels.
   *
   * @param {Float32Array} pixels  D of them, in units of [0, 1].
   * @returns {{mean: Float32Array, deviation: Float32Array}}  K each.
   */
  posterior(pixels) {
    let x = pixels;
    this.layers.forEach((layer, depth) => {
      const y = new Float32Array(layer.bias.length);
      affine(layer, x, y);
      if (depth < this.layers.length - 1) this.activate(y);
      x = y;
    });
    const latents = x.length / 2;
    return {
      mean: x.slice(0, latents),
      deviation: x.slice(latents).map((logVar) => Math.exp(logVar / 2)),
    };
  }
}

/**
 * An encoder from the buffer that Python packed.
 *
 * @param {ArrayBuffer} buffer
 */
export function unpackEncoder(buffer) {
  const { header, end } = readHeader(new Uint8Array(buffer));
  let offset = end;
  /** @param {number} count */
  const floats = (count) => {
    const array = new Float32Array(buffer, offset, count);
    offset += array.byteLength;
    return array;
  };
  const layers = header.sizes.slice(1).map((width, depth) => ({
    weight: floats(width * header.sizes[depth]),
    bias: floats(width),
  }));
  return new Encoder(header.shape, layers, header.activation);
}
