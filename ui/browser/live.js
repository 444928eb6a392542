/** The door of the live camera in the app: Python hears of a face when somebody takes it along. */

/** @import { Pad } from "./pad.js" */

import { Camera } from "./camera.js";
import { find } from "./dom.js";
import { unpackEncoder } from "./encoder.js";
import { openPad } from "./standalone.js";
import { take } from "./take.js";

/** @typedef {(name: string, value: object) => void} Send */

class Live {
  /** @type {Pad | undefined} */
  pad;

  /** @type {Uint8Array | undefined}  The model that is shown, as it came. */
  held;

  /**
   * @param {ParentNode} root
   * @param {Send} send
   */
  constructor(root, send) {
    this.root = root;
    this.send = send;
    this.explore = find(root, "[name=explore]", HTMLButtonElement);
    this.camera = new Camera(root, () => (this.explore.disabled = false));
    this.explore.addEventListener("click", () => {
      const { pad } = this;
      if (!pad?.model) return;
      this.camera.freeze();
      this.send("chosen", { z: [...pad.z], pins: pad.pins.map((pin) => [...pin]) });
    });
  }

  /**
   * @param {Uint8Array} data  Of `packed` in `ui/reconstruct/live.py`.
   * @param {Send} send
   */
  update(data, send) {
    this.send = send;
    if (sameBytes(this.held, data)) return;
    this.held = data;
    const bytes = data.slice().buffer;
    const length = new DataView(bytes).getUint32(0, true);
    const decoder = bytes.slice(4, 4 + length);
    if (this.pad) take(this.pad, decoder);
    else this.pad = openPad(this.root, decoder);
    this.camera.adopt(this.pad, unpackEncoder(bytes.slice(4 + length)));
  }

  destroy() {
    this.camera.freeze();
    this.pad?.destroy();
  }
}

/**
 * @param {Uint8Array | undefined} held
 * @param {Uint8Array} data
 */
const sameBytes = (held, data) =>
  held?.length === data.length && held.every((byte, i) => byte === data[i]);

/**
 * @param {object} component
 * @param {ShadowRoot | HTMLElement} component.parentElement
 * @param {unknown} component.data
 * @param {Send} component.setTriggerValue
 */
export default function ({ parentElement, data, setTriggerValue }) {
  const host = /** @type {Element & {visageLive?: Live}} */ (
    parentElement instanceof ShadowRoot ? parentElement.host : parentElement
  );
  if (!(data instanceof Uint8Array)) return undefined;
  host.visageLive ??= new Live(parentElement, setTriggerValue);
  const live = host.visageLive;
  live.update(data, setTriggerValue);
  return () => {
    live.destroy();
    delete host.visageLive;
  };
}
