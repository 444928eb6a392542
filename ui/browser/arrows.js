/** The door by which directions come: it lays them on the shelf for the pad of a channel. */

/** @import { Directions } from "./shelf.js" */

import { lay } from "./shelf.js";

/** @param {{data: Directions}} component */
export default function ({ data }) {
  return lay("arrows", data);
}
