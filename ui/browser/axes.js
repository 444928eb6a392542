/** The door by which named axes come: it lays them on the shelf for the pad of a channel. */

/** @import { Named } from "./shelf.js" */

import { lay } from "./shelf.js";

/** @param {{data: Named}} component */
export default function ({ data }) {
  return lay("axes", data);
}
