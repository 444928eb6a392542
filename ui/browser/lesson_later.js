/** The door by which comes what the lesson's last steps are told with: it lays it on the shelf. */

/** @import { Later } from "./shelf.js" */

import { theShelf } from "./shelf.js";

/** @param {{data: Later}} component */
export default function ({ data }) {
  const shelf = theShelf();
  shelf.lesson = data;
  shelf.dispatchEvent(new Event("lesson"));
  return () => {
    if (shelf.lesson === data) shelf.lesson = undefined;
  };
}
