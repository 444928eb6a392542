/** The door by which named axes come: it lays them on the shelf for the pad of a channel. */

/** @import { Named } from "./shelf.js" */

import { theShelf } from "./shelf.js";

/** @param {{data: Named}} component */
export default function ({ data }) {
  const shelf = theShelf();
  shelf.axes.set(data.channel, data);
  shelf.dispatchEvent(new Event(`${data.channel} axes`));
  return () => {
    if (shelf.axes.get(data.channel) === data) shelf.axes.delete(data.channel);
  };
}
