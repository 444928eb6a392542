/** The door of the app's lesson: a component of Streamlit. */

import { find } from "./dom.js";
import { Lesson } from "./lesson.js";
import { opened } from "./packet.js";

/** The step that the address names, counted from 1. */
const stepInAddress = () => Number(new URLSearchParams(location.search).get("step")) || 1;

/** @typedef {{id: string, lesson: Lesson}} Held */

/**
 * @param {object} component
 * @param {ShadowRoot | HTMLElement} component.parentElement
 * @param {unknown} component.data  What is taught with, as Python packs it.
 * @param {(name: string, value: number) => void} component.setStateValue
 */
export default function ({ parentElement, data, setStateValue }) {
  const host = /** @type {Element & {visageLesson?: Held}} */ (
    parentElement instanceof ShadowRoot ? parentElement.host : parentElement
  );
  if (!(data instanceof Uint8Array)) return undefined;
  const end = () => {
    host.visageLesson?.lesson.destroy();
    delete host.visageLesson;
  };
  try {
    const { id, parts } = opened(data);
    // The same place is given again at each run of the script.
    if (host.visageLesson?.id !== id) {
      end();
      let told = stepInAddress();
      const { decoder, ...others } = parts;
      const lesson = new Lesson(parentElement, { decoder, ...others }, (shown) => {
        if (shown !== told) setStateValue("step", shown);
        told = shown;
      });
      host.visageLesson = { id, lesson };
      lesson.show(Math.min(Math.max(1, told), lesson.steps.length));
      lesson.box.dataset.state = "ready";
    }
  } catch (error) {
    find(parentElement, ".lesson", HTMLElement).dataset.state = "problem";
    find(parentElement, ".trouble", HTMLElement).textContent =
      "The lesson's model has not arrived whole: reload the page.";
    console.error(error);
  }
  return end;
}
