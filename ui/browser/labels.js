/** The door by which a label comes: it lays it on the shelf for the pad of a channel. */

/** @import { Labelled } from "./shelf.js" */

import { lay } from "./shelf.js";

/** @param {{data: Labelled}} component */
export default function ({ data }) {
  return lay("labels", data);
}
