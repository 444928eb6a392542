/** The overlay: directions drawn on the plane. */

import { drawn, find } from "./dom.js";
import { project } from "./projection.js";

/**
 * @typedef {{vector: number[], at: number[], label: string}} Arrow  A direction with its length,
 *   where it starts, and what it says at its tip.
 */

/** How far z may be from where an arrow starts before it fades. */
const AWAY = 0.01;

/** Pixels around z that the cursor hides, and between a tip and what it says. */
const HIDDEN = 13;
const GAP = 8;

/** What a line of a label takes in pixels: its height, and the width of a letter. */
const LINE = 14;
const LETTER = 7;

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
    const lines = arrows.map(({ vector, at }) => {
      const [x1, y1] = project(at, plane);
      const [x2, y2] = project(at.map((latent, k) => latent + vector[k]), plane);
      return { x1, y1, x2, y2 };
    });
    const places = placed(lines, arrows.map(({ label }) => label), plane.side);
    this.arrows = arrows.map(({ at, label }, i) => {
      const group = drawn("g", { class: "arrow" });
      const { x, y, width, isLeft } = places[i];
      const anchor = isLeft ? "end" : "start";
      group.append(
        drawn("line", { ...lines[i], "marker-end": "url(#tip)" }),
        drawn("text", { x: isLeft ? x + width : x, y: y + 4, "text-anchor": anchor }, label),
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

/**
 * Where each arrow's label goes: beyond its tip and, where the plane shows little of the arrow,
 * beyond the cursor; on the plane, and on no other label.
 *
 * @param {{x1: number, y1: number, x2: number, y2: number}[]} lines  In pixels of the plane.
 * @param {string[]} labels
 * @param {number} side  The plane's.
 * @returns {{x: number, y: number, width: number, isLeft: boolean}[]}  The left edge and the
 *   middle's height of each.
 */
export function placed(lines, labels, side) {
  /** @type {{x: number, y: number, width: number, isLeft: boolean}[]} */
  const places = [];
  lines.forEach(({ x1, y1, x2, y2 }, i) => {
    const length = Math.hypot(x2 - x1, y2 - y1);
    const [right, down] = length ? [(x2 - x1) / length, (y2 - y1) / length] : [1, 0];
    const reach = Math.max(length, HIDDEN) + GAP;
    const width = LETTER * labels[i].length;
    const isLeft = right < 0;
    const x = x1 + reach * right - (isLeft ? width : 0);
    const place = {
      x: Math.min(Math.max(x, 2), side - width - 2),
      y: Math.min(Math.max(y1 + reach * down, LINE / 2), side - LINE / 2),
      width,
      isLeft,
    };
    for (const other of places) {
      const beside = place.x + width < other.x || other.x + other.width < place.x;
      if (beside || Math.abs(place.y - other.y) >= LINE) continue;
      // Away from z, where the cursor is, and from the plane's edge.
      const away = Math.sign(down) || (place.y > side / 2 ? -1 : 1);
      const y = other.y + away * LINE;
      place.y = y < LINE / 2 || y > side - LINE / 2 ? other.y - away * LINE : y;
    }
    places.push(place);
  });
  return places;
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
