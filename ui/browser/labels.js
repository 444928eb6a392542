/** The door by which a label comes: it lays it on the shelf for the pad of a channel. */

/** @import { Labelled } from "./shelf.js" */

import { theShelf } from "./shelf.js";

/** @param {{data: Labelled}} component */
export default function ({ data }) {
  const shelf = theShelf();
  shelf.labels.set(data.channel, data);
  shelf.dispatchEvent(new Event(`${data.channel} labels`));
  return () => {
    if (shelf.labels.get(data.channel) === data) shelf.labels.delete(data.channel);
  };
}
