/** The door by which directions come: it lays them on the shelf for the pad of a channel. */

/** @import { Directions } from "./shelf.js" */

import { theShelf } from "./shelf.js";

/** @param {{data: Directions}} component */
export default function ({ data }) {
  const shelf = theShelf();
  shelf.arrows.set(data.channel, data);
  shelf.dispatchEvent(new Event(`${data.channel} arrows`));
  return () => {
    if (shelf.arrows.get(data.channel) === data) shelf.arrows.delete(data.channel);
  };
}
