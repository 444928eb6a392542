/** The overlay: directions drawn on the plane. */

import { drawn, find } from "./dom.js";
import { project } from "./projection.js";

/**
 * @typedef {{vector: number[], at: number[], label: string}} Arrow  A direction with its length,
 *   where it starts, and what it says at its tip.
 */

/** How far z may be from where an arrow starts before it fades. */
const AWAY = 0.01;

export class Overlay {
  /** @type {{group: SVGElement, at: number[]}[]} */
  arrows = [];

  /** @param {ParentNode} root */
  constructor(root) {
    this.svg = find(root, ".overlay", SVGElement);
  }

  /**
   * Draw these arrows, instead of those that there were.
   *
   * @param {Arrow[]} arrows
   * @param {{axes: number[], extent: number, side: number}} plane
   */
  draw(arrows, plane) {
    this.arrows = arrows.map(({ vector, at, label }) => {
      const [x1, y1] = project(at, plane);
      const [x2, y2] = project(at.map((latent, k) => latent + vector[k]), plane);
      const group = drawn("g", { class: "arrow" });
      const anchor = x2 < x1 ? "end" : "start";
      const x = x2 + 8 * Math.sign(x2 - x1);
      group.append(
        drawn("line", { x1, y1, x2, y2, "marker-end": "url(#tip)" }),
        drawn("text", { x, y: y2 + 4, "text-anchor": anchor }, label),
      );
      return { group, at };
    });
    this.svg.replaceChildren(head(), ...this.arrows.map(({ group }) => group));
  }

  /**
   * Fade the arrows that z has left.
   *
   * @param {Float32Array} z
   */
  point(z) {
    for (const { group, at } of this.arrows) {
      const away = at.some((latent, k) => Math.abs(latent - z[k]) > AWAY);
      group.classList.toggle("left", away);
    }
  }
}

function head() {
  const marker = drawn("marker", {
    id: "tip",
    viewBox: "0 0 8 8",
    refX: 5,
    refY: 4,
    markerWidth: 4.5,
    markerHeight: 4.5,
    orient: "auto",
  });
  marker.append(drawn("path", { d: "M0 0.5 7.5 4 0 7.5z" }));
  return marker;
}
