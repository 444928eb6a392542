/** The door of a lesson that is sent: one file, with no server behind it. */

import { find } from "./dom.js";
import { Lesson } from "./lesson.js";
import { theShelf } from "./shelf.js";
import { carried } from "./transport.js";

/** What of the page is a recording. */
const RECORDINGS = ["film", "overfit", "beta"];

/** @param {Document} root */
async function bringRecordings(root) {
  const held = await Promise.all(RECORDINGS.map((name) => carried(root, name)));
  const shelf = theShelf();
  shelf.recordings = Object.fromEntries(RECORDINGS.map((name, i) => [name, held[i]]));
  shelf.dispatchEvent(new Event("recordings"));
}

/** The step that the address names, counted from 1. */
const stepInHash = () => Number(/^#step=(\d+)$/.exec(location.hash)?.[1]) || 1;

/**
 * Bring a lesson to life.
 *
 * @param {Document} root
 */
export async function openLesson(root) {
  const box = find(root, ".lesson", HTMLElement);
  try {
    const [decoder, encoder] = await Promise.all([
      carried(root, "decoder"),
      carried(root, "encoder"),
    ]);
    theShelf().lesson = JSON.parse(find(root, ".later", HTMLScriptElement).text);
    for (const one of root.querySelectorAll(".in-app")) {
      /** @type {HTMLElement} */ (one).hidden = true;
    }
    const lesson = new Lesson(root, { decoder, encoder }, (step) => {
      try {
        history.replaceState(null, "", step === 1 ? "#" : `#step=${step}`);
      } catch {
        // A frame without an address of its own: the lesson works, only its links do not.
      }
    });
    const held = /** @type {Element & {visageLesson?: object} | null} */ (box.parentElement);
    if (held) held.visageLesson = { lesson };
    const show = () => lesson.show(Math.min(Math.max(1, stepInHash()), lesson.steps.length));
    addEventListener("hashchange", show);
    show();
    box.dataset.state = "ready";
    // The first steps need not wait for what the others are told with.
    await bringRecordings(root);
    return lesson;
  } catch (error) {
    box.dataset.state = "problem";
    find(root, ".trouble", HTMLElement).textContent =
      "This browser is too old for this page, or the page has not arrived whole: get it again, or use a browser of 2023 or later.";
    console.error(error);
    return undefined;
  }
}
