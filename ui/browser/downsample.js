/**
 * From a photo's pixels to a model's image, step by step as the server does it with Pillow: shrunk
 * by a whole number, cut out, made grey, and resampled by Lanczos' window.
 */

/** @import { Frame } from "./framing.js" */

/** @typedef {{width: number, height: number, channels: number, data: Uint8Array}} Raster */

/** Lanczos' window is so many pixels wide to each side. */
const LOBES = 3;

/** @param {number} x */
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** @param {number} x */
const lanczos = (x) => (Math.abs(x) < LOBES ? sinc(x) * sinc(x / LOBES) : 0);

/**
 * To the nearest whole number, and halves to the even one, as Python rounds.
 *
 * @param {number} value
 */
function even(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 ? below + 1 : below;
}

/** @param {number} value */
const byte = (value) => Math.min(255, Math.max(0, Math.round(value)));

/**
 * What a frame of a model's proportions, laid on a photo, encloses; black outside of it.
 *
 * @param {{width: number, height: number, data: ArrayLike<number>}} photo  RGBA.
 * @param {Frame} frame
 * @param {number[]} shape  The image's height and width, and 3 if it has colours.
 * @returns {Uint8Array}  D grey levels or colours, row by row.
 */
export function framedPixels(photo, frame, [height, width, channels = 1]) {
  const factor = Math.max(1, Math.floor(Math.floor(frame.width * photo.width) / (4 * width)));
  const small = { width: Math.ceil(photo.width / factor), height: Math.ceil(photo.height / factor) };
  const wide = Math.max(1, even(frame.width * small.width));
  const tall = Math.max(1, even((wide * height) / width));
  const left = even(frame.x * small.width - wide / 2);
  const top = even(frame.y * small.height - tall / 2);
  const data = new Uint8Array(wide * tall * channels);
  for (let y = Math.max(0, -top); y < Math.min(tall, small.height - top); y++) {
    for (let x = Math.max(0, -left); x < Math.min(wide, small.width - left); x++) {
      const [red, green, blue] = boxMean(photo, factor, left + x, top + y);
      const at = (y * wide + x) * channels;
      if (channels === 3) data.set([red, green, blue], at);
      else data[at] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    }
  }
  return fitted({ width: wide, height: tall, channels, data }, width, height).data;
}

/**
 * The mean of a square of a photo.
 *
 * @param {{width: number, height: number, data: ArrayLike<number>}} photo
 * @param {number} factor  The square's side.
 * @param {number} column  Which square.
 * @param {number} row
 */
function boxMean({ width, height, data }, factor, column, row) {
  const sums = [0, 0, 0];
  const [right, bottom] = [(column + 1) * factor, (row + 1) * factor];
  let count = 0;
  for (let y = row * factor; y < Math.min(bottom, height); y++) {
    for (let x = column * factor; x < Math.min(right, width); x++) {
      for (let k = 0; k < 3; k++) sums[k] += data[4 * (y * width + x) + k];
      count++;
    }
  }
  return sums.map((sum) => Math.floor(sum / count + 0.5));
}

/**
 * A raster in another size, cut off where its proportions differ.
 *
 * @param {Raster} raster
 * @param {number} width
 * @param {number} height
 */
function fitted(raster, width, height) {
  if (raster.width === width && raster.height === height) return raster;
  const ratio = width / height;
  const isWide = raster.width / raster.height >= ratio;
  const across = isWide ? ratio * raster.height : raster.width;
  const down = isWide ? raster.height : raster.width / ratio;
  const box = { left: (raster.width - across) / 2, top: (raster.height - down) / 2 };
  const rows = resampled(raster, width, box.left, across);
  return turned(resampled(turned(rows), height, box.top, down));
}

/**
 * A raster whose rows have another length.
 *
 * @param {Raster} raster
 * @param {number} width
 * @param {number} from  Where the part that is wanted begins.
 * @param {number} length  How long that is.
 * @returns {Raster}
 */
function resampled({ width: before, height, channels, data }, width, from, length) {
  const scale = length / width;
  const stretch = Math.max(1, scale);
  const support = LOBES * stretch;
  const out = new Uint8Array(width * height * channels);
  for (let x = 0; x < width; x++) {
    const centre = from + (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(before, Math.trunc(centre + support + 0.5));
    const window = Array.from({ length: last - first }, (_, i) =>
      lanczos((first + i - centre + 0.5) / stretch),
    );
    const total = window.reduce((sum, weight) => sum + weight, 0);
    for (let y = 0; y < height; y++) {
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let i = 0; i < window.length; i++) {
          sum += window[i] * data[(y * before + first + i) * channels + k];
        }
        out[(y * width + x) * channels + k] = byte(sum / total);
      }
    }
  }
  return { width, height, channels, data: out };
}

/**
 * A raster's rows as columns.
 *
 * @param {Raster} raster
 * @returns {Raster}
 */
function turned({ width, height, channels, data }) {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < channels; k++) {
        out[(x * height + y) * channels + k] = data[(y * width + x) * channels + k];
      }
    }
  }
  return { width: height, height: width, channels, data: out };
}
