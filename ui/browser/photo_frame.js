/** The door of the photo frame in the app: Python hears of the frame when it has settled. */

/** @import { Data, Send } from "./photo_stage.js" */

import { PhotoFrame } from "./photo_stage.js";

/**
 * @param {object} component
 * @param {ShadowRoot | HTMLElement} component.parentElement
 * @param {Data} component.data
 * @param {Send} component.setStateValue
 */
export default function ({ parentElement, data, setStateValue }) {
  const host = /** @type {Element & {visagePhotoFrame?: PhotoFrame}} */ (
    parentElement instanceof ShadowRoot ? parentElement.host : parentElement
  );
  host.visagePhotoFrame ??= new PhotoFrame(parentElement, data, setStateValue);
  const frame = host.visagePhotoFrame;
  frame.update(data, setStateValue);
  return () => {
    frame.destroy();
    delete host.visagePhotoFrame;
  };
}
