/** From pixels in [0, 1] to colours on a canvas. */

/** @import { Model } from "./model.js" */

import { contextOf } from "./dom.js";
import { ServedDecoder } from "./served.js";

/** matplotlib's inferno as 256 RGB triples, through the polynomial fitted to it by Matt Zucker. */
export const inferno = (() => {
  const terms = [
    [0.00021894, 0.0016510, -0.019481],
    [0.10651342, 0.56395644, 3.93271239],
    [11.60249308, -3.97285397, -15.9423941],
    [-41.70399613, 17.43639888, 44.35414520],
    [77.16293570, -33.40235894, -81.80730926],
    [-71.31942824, 32.62606426, 73.20951986],
    [25.13112622, -12.24266895, -23.07032500],
  ];
  const table = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = terms.reduceRight((sum, term) => sum * (i / 255) + term[channel], 0);
      table[3 * i + channel] = 255 * value;
    }
  }
  return table;
})();

/**
 * Write an image's pixels, D values in [0, 1], into RGBA bytes.
 *
 * @param {Float32Array} pixels
 * @param {number} channels
 * @param {Uint8ClampedArray} rgba
 */
export function colour(pixels, channels, rgba) {
  for (let from = 0, to = 0; from < pixels.length; from += channels, to += 4) {
    rgba[to] = 255 * pixels[from];
    rgba[to + 1] = 255 * pixels[channels === 3 ? from + 1 : from];
    rgba[to + 2] = 255 * pixels[channels === 3 ? from + 2 : from];
    rgba[to + 3] = 255;
  }
}

/**
 * Write an image's deviations into RGBA bytes as a heat map that ends at the ceiling.
 *
 * @param {Float32Array} deviations
 * @param {number} channels
 * @param {number} ceiling
 * @param {Uint8ClampedArray} rgba
 */
export function heat(deviations, channels, ceiling, rgba) {
  for (let from = 0, to = 0; from < deviations.length; from += channels, to += 4) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += deviations[from + channel];
    const shade = 3 * Math.min(255, Math.round((255 * sum) / channels / ceiling));
    rgba[to] = inferno[shade];
    rgba[to + 1] = inferno[shade + 1];
    rgba[to + 2] = inferno[shade + 2];
    rgba[to + 3] = 255;
  }
}

/**
 * Draw the decoder's mean at z at the canvas's own size, a pixel a pixel.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Model} model
 * @param {Float32Array} z
 */
export function drawMean(canvas, model, z) {
  const [height, width, channels = 1] = model.shape;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const { decoder } = model;
  /** @param {Float32Array} mean */
  const draw = (mean) => {
    const image = new ImageData(width, height);
    colour(mean, channels, image.data);
    contextOf(canvas).putImageData(image, 0, 0);
  };
  // A server's answer comes later.
  if (decoder instanceof ServedDecoder) decoder.later(z, draw);
  else draw(decoder.decode(z).mean);
}
