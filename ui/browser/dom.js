/** Elements: found by a selector, or made. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * The first element that a selector names.
 *
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} Kind  What it must be.
 * @returns {T}
 */
export function find(root, selector, Kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof Kind)) throw new TypeError(`There is no ${selector} here.`);
  return found;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new TypeError("This browser draws on no canvas.");
  return context;
}

/**
 * An element of a drawing.
 *
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} text
 */
export function drawn(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/**
 * A line drawing of 16 × 16.
 *
 * @param {string} path
 */
export function icon(path) {
  const svg = drawn("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  svg.append(drawn("path", { class: "line", d: path }));
  return svg;
}
