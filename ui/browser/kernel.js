/** The numbers of a network in WebAssembly's memory, and the kernel that computes with them. */

import { KERNEL } from "./kernel_bytes.js";
import { inFours, LOGISTICS, Numbers } from "./numbers.js";

/** A page of WebAssembly's memory, in numbers. */
const PAGE = 2 ** 14;

/**
 * @typedef {object} Exports  What kernel.wat exports; places and lengths in bytes.
 * @property {WebAssembly.Memory} memory
 * @property {(...all: number[]) => void} affine
 * @property {(...all: number[]) => void} product
 * @property {(...all: number[]) => void} curve
 */

/** @type {WebAssembly.Module | null | undefined}  Null where the browser runs none. */
let compiled;

/**
 * The kernel, compiled once; it is so small that every browser lets the page wait for it.
 *
 * @returns {WebAssembly.Module | null}
 */
export function kernel() {
  if (compiled !== undefined) return compiled;
  compiled = null;
  try {
    const bytes = Uint8Array.from(atob(KERNEL), (letter) => letter.charCodeAt(0));
    // A browser without SIMD finds it wrong.
    if (WebAssembly.validate(bytes)) compiled = new WebAssembly.Module(bytes);
  } catch {
    // There is no WebAssembly, or a policy forbids it: JavaScript does the same.
  }
  return compiled;
}

/** As `Numbers`. Its memory goes when nobody holds it any more, as an array does. */
export class KernelNumbers extends Numbers {
  /** @param {WebAssembly.Module} module */
  constructor(module) {
    super();
    this.wasm = /** @type {Exports} */ (
      /** @type {unknown} */ (new WebAssembly.Instance(module).exports)
    );
    this.look();
  }

  look() {
    const { buffer } = this.wasm.memory;
    this.values = new Float32Array(buffer);
    this.wholes = new Int32Array(buffer);
  }

  /**
   * @override
   * @param {number} count
   */
  grow(count) {
    this.wasm.memory.grow(Math.ceil((count - this.values.length) / PAGE));
    this.look();
  }

  /**
   * @override
   * @param {number} weight
   * @param {number} bias
   * @param {number} x
   * @param {number} width
   * @param {number} y
   * @param {number} rows
   */
  affine(weight, bias, x, width, y, rows) {
    this.wasm.affine(4 * weight, 4 * bias, 4 * x, 4 * width, 4 * y, 4 * (y + rows));
  }

  /**
   * @override
   * @param {number} weight
   * @param {number} bias
   * @param {number} groups
   * @param {number} places
   * @param {number} depth
   * @param {number} source
   * @param {number} target
   * @param {number} columns
   */
  product(weight, bias, groups, places, depth, source, target, columns) {
    const { product } = this.wasm;
    product(4 * weight, 4 * bias, groups, 4 * places, 4 * depth, 4 * source, 4 * target, 4 * columns);
  }

  /**
   * @override
   * @param {string} name
   * @param {number} first
   * @param {number} end
   */
  logistic(name, first, end) {
    const { inner, outer, slope, shift } = LOGISTICS[name];
    this.wasm.curve(4 * first, 4 * inFours(end), inner, outer, slope, shift);
  }
}

/** Room for a network's numbers: in the kernel's memory, where this browser has it. */
export function room() {
  const module = kernel();
  if (!module) return new Numbers();
  try {
    return new KernelNumbers(module);
  } catch {
    // A browser that has no more such memories has arrays still.
    return new Numbers();
  }
}
