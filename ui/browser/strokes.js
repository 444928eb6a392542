/** Strokes on an image: what is wanted of each pixel, and how firmly. */

/** Where a brush of this radius is firm, in shares of it; from there to its rim it softens. */
const FIRM = 0.5;

/** How much lighter or darker a stroke wants a pixel, of a whole range of 1. */
const SHADE = 0.45;

/**
 * @typedef {object} Touch  One touch of the brush.
 * @property {number} x  Its middle in pixels from the left, as is `y` from the top.
 * @property {number} y
 * @property {number} radius  In pixels.
 */

export class Strokes {
  /** @param {number[]} shape  An image's height and width, and 3 if it has colours. */
  constructor(shape) {
    const [height, width, channels = 1] = shape;
    this.height = height;
    this.width = width;
    this.channels = channels;
    /** What is wanted, D values in [0, 1]. */
    this.wanted = new Float32Array(height * width * channels);
    /** How firmly, of each pixel, in [0, 1]. */
    this.firmness = new Float32Array(height * width);
  }

  copy() {
    const { height, width, channels } = this;
    const copied = new Strokes([height, width, channels]);
    copied.wanted.set(this.wanted);
    copied.firmness.set(this.firmness);
    return copied;
  }

  get isBlank() {
    return this.firmness.every((firmness) => !firmness);
  }

  /**
   * Ask for pixels that are lighter or darker than these.
   *
   * @param {Touch} touch
   * @param {number} sign  1 is lighter, −1 darker.
   * @param {Float32Array} base  The face at the beginning of the stroke.
   */
  shade(touch, sign, base) {
    this.each(touch, (pixel, firmness) => {
      this.firmness[pixel] = Math.max(this.firmness[pixel], firmness);
      for (let i = pixel * this.channels; i < (pixel + 1) * this.channels; i++) {
        this.wanted[i] = Math.min(1, Math.max(0, base[i] + sign * SHADE));
      }
    });
  }

  /**
   * Ask for a colour.
   *
   * @param {Touch} touch
   * @param {number[]} colour  Its channels, in [0, 1].
   */
  dye(touch, colour) {
    this.each(touch, (pixel, firmness) => {
      this.firmness[pixel] = Math.max(this.firmness[pixel], firmness);
      for (let channel = 0; channel < this.channels; channel++) {
        this.wanted[pixel * this.channels + channel] = colour[channel];
      }
    });
  }

  /**
   * Ask for nothing there any more.
   *
   * @param {Touch} touch
   */
  erase(touch) {
    this.each(touch, (pixel, firmness) => {
      this.firmness[pixel] = Math.min(this.firmness[pixel], 1 - firmness);
    });
  }

  /**
   * The pixels under the brush, and how firmly each is touched.
   *
   * @param {Touch} touch
   * @param {(pixel: number, firmness: number) => void} act
   */
  each({ x, y, radius }, act) {
    // The least brush touches the pixel that it is in.
    const reach = Math.max(radius, 0.75);
    const top = Math.max(0, Math.floor(y - reach));
    const bottom = Math.min(this.height - 1, Math.ceil(y + reach));
    const left = Math.max(0, Math.floor(x - reach));
    const right = Math.min(this.width - 1, Math.ceil(x + reach));
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const away = Math.hypot(column + 0.5 - x, row + 0.5 - y) / reach;
        const firmness = Math.min(1, (1 - away) / (1 - FIRM));
        if (firmness > 0) act(row * this.width + column, firmness);
      }
    }
  }
}
