/** The door by which comes what the lesson's last steps are told with: it lays it on the shelf. */

/** @import { Later } from "./shelf.js" */

import { opened } from "./packet.js";
import { theShelf } from "./shelf.js";

/** @param {{data: Later | Uint8Array}} component  Bytes are recordings. */
export default function ({ data }) {
  const shelf = theShelf();
  if (data instanceof Uint8Array) {
    // They are the same for every lesson.
    shelf.recordings ??= opened(data).parts;
    shelf.dispatchEvent(new Event("recordings"));
    return undefined;
  }
  shelf.lesson = data;
  shelf.dispatchEvent(new Event("lesson"));
  return () => {
    if (shelf.lesson === data) shelf.lesson = undefined;
  };
}
