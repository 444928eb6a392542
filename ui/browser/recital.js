/** A step of the lesson that plays recorded runs: their reel, the curve beside it, and when they come. */

import { Curve } from "./curve.js";
import { find } from "./dom.js";
import { Reel } from "./reel.js";
import { theShelf } from "./shelf.js";

export class Recital {
  /** What is looked at. */
  view = "";

  /**
   * @param {HTMLElement} section
   * @param {Record<string, string>} palette
   * @param {string} views  The name of the radio buttons that choose what is looked at.
   */
  constructor(section, palette, views) {
    this.section = section;
    this.reel = new Reel(section, palette);
    this.curve = new Curve(find(section, ".curve", HTMLCanvasElement), palette, (place) => {
      this.reel.stop();
      this.reel.go(place);
    });
    this.reel.onMoment = () => this.tell();
    this.reel.onFace = () => this.paint();
    for (const input of section.querySelectorAll(`[name=${views}]`)) {
      input.addEventListener("change", () => {
        this.turn(/** @type {HTMLInputElement} */ (input).value);
      });
    }
    this.arrived = () => this.take();
  }

  enter() {
    theShelf().addEventListener("recordings", this.arrived);
    this.take();
  }

  leave() {
    theShelf().removeEventListener("recordings", this.arrived);
    this.reel.stop();
  }

  resize() {
    this.reel.resize();
    this.curve.draw();
  }

  /** Take the recordings, once they are here. */
  take() {}

  /** Look at something else. @param {string} view */
  turn(view) {
    this.view = view;
    this.section.dataset.view = view;
  }

  /** Say what the reel's model is. */
  tell() {}

  /** Draw the face at z. */
  paint() {}
}
