/** A dense layer among a network's numbers. */

/** @import { Numbers } from "./numbers.js" */

import { inFours } from "./numbers.js";

/** @typedef {{weight: Float32Array, bias: Float32Array}} Layer  The weight is (out × in). */

/**
 * Lay a weight's rows four together, as `Numbers` computes with them.
 *
 * @param {Numbers} numbers
 * @param {Float32Array} weight  Row by row.
 * @param {number} rows
 * @param {number} width  To which rows are filled up with zeros.
 * @returns {number}  Its place.
 */
export function laidOut(numbers, weight, rows, width) {
  const place = numbers.take(inFours(rows) * width);
  const { values } = numbers;
  const given = weight.length / rows;
  const whole = rows - (rows % 4);
  for (let row = 0; row < whole; row += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => (row + i) * given);
    for (let j = 0, to = place + row * width; j < given; j++, to += 4) {
      values[to] = weight[a + j];
      values[to + 1] = weight[b + j];
      values[to + 2] = weight[c + j];
      values[to + 3] = weight[d + j];
    }
  }
  for (let row = whole; row < rows; row++) {
    let to = place + whole * width + (row % 4);
    for (let j = row * given; j < (row + 1) * given; j++, to += 4) values[to] = weight[j];
  }
  return place;
}

export class Dense {
  /**
   * @param {Numbers} numbers
   * @param {Layer} layer
   */
  constructor(numbers, { weight, bias }) {
    this.numbers = numbers;
    this.out = bias.length;
    this.in = weight.length / bias.length;
    this.width = inFours(this.in);
    this.weight = laidOut(numbers, weight, this.out, this.width);
    this.bias = numbers.take(this.out);
    numbers.values.set(bias, this.bias);
    this.y = numbers.take(this.out);
  }

  /**
   * What it gives for x, and where that is.
   *
   * @param {number} x  The place of what it takes; what lies behind it in its last four counts
   *     nothing, but is a number.
   * @param {number} y
   * @param {number} bias
   */
  apply(x, y = this.y, bias = this.bias) {
    this.numbers.affine(this.weight, bias, x, this.width, y, inFours(this.out));
    return y;
  }

  /**
   * The place of a weight; the next of its row is four further on.
   *
   * @param {number} row
   */
  row(row) {
    return this.weight + (row - (row % 4)) * this.width + (row % 4);
  }

  /** The layer that it was made of. @returns {Layer} */
  layer() {
    const { numbers, out } = this;
    const weight = Float32Array.from({ length: out * this.in }, (_, at) => {
      const row = Math.floor(at / this.in);
      return numbers.values[this.row(row) + 4 * (at % this.in)];
    });
    return { weight, bias: numbers.view(this.bias, out).slice() };
  }
}
