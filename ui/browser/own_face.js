/** One's own face: a photo or the camera, through the encoder, in the visitor's own browser. */

/** @import { AnyEncoder } from "./encoder.js" */
/** @import { Frame } from "./framing.js" */
/** @import { Pad } from "./pad.js" */

import { Camera, widths } from "./camera.js";
import { contextOf, find } from "./dom.js";
import { drawMean } from "./paint.js";
import { PhotoFrame } from "./photo_stage.js";

/** The longest side of a photo that is read whole. */
const LONGEST_SIDE = 4096;

/** How far a frame zooms in, in shares of the width at which it fits. */
const NEAREST = 0.05;

export class OwnFace {
  /** @type {ImageData | undefined} */
  photo;

  /** The photo's address in this browser. */
  source = "";

  /** @type {PhotoFrame | undefined} */
  stage;

  /** @param {Document} root */
  constructor(root) {
    this.section = find(root, ".own", HTMLElement);
    this.input = find(this.section, "[name=photo]", HTMLInputElement);
    this.framing = find(this.section, ".photo-frame", HTMLElement);
    this.input.addEventListener("change", () => this.read());
    this.camera = new Camera(this.section, () => (this.framing.hidden = true));
  }

  /**
   * @param {Pad} pad
   * @param {AnyEncoder | undefined} encoder  Of the model that is shown, if it travelled.
   */
  adopt(pad, encoder) {
    this.camera.adopt(pad, encoder);
    this.section.hidden = !encoder;
    if (encoder && this.photo) this.lay(this.photo);
    else this.camera.board.hidden = true;
  }

  /** Read the photo that was chosen. */
  async read() {
    const file = this.input.files?.[0];
    if (!file) return;
    this.camera.freeze();
    try {
      const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
      const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(bitmap.width * scale));
      canvas.height = Math.max(1, Math.round(bitmap.height * scale));
      const context = contextOf(canvas);
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      bitmap.close();
      this.lay(context.getImageData(0, 0, canvas.width, canvas.height), URL.createObjectURL(file));
      this.camera.word.textContent = "";
    } catch {
      this.camera.word.textContent = "This is no picture that this browser can read: choose another.";
    }
  }

  /**
   * Lay a photo under the frame.
   *
   * @param {ImageData} photo
   */
  lay(photo, source = this.source) {
    const model = this.camera.pad?.model;
    if (!model) return;
    if (source !== this.source && this.source) URL.revokeObjectURL(this.source);
    this.source = source;
    this.photo = photo;
    this.camera.board.hidden = false;
    this.framing.hidden = false;
    const [height, width, channels = 1] = model.shape;
    const guide = document.createElement("canvas");
    drawMean(guide, model, new Float32Array(model.latents));
    const { fit, widest } = widths(photo, width / height);
    const data = {
      photo: source,
      guide: guide.toDataURL("image/png"),
      size: /** @type {[number, number]} */ ([width, height]),
      grey: channels === 1,
      start: { x: 0.5, y: 0.5, width: fit },
      widest,
      closest: NEAREST * fit,
    };
    const send = (/** @type {string} */ _, /** @type {object} */ frame) =>
      this.camera.judge(photo, /** @type {Frame} */ (frame), true);
    this.stage ??= new PhotoFrame(this.framing, data, send);
    this.stage.update(data, send);
    this.camera.judge(photo, data.start, true);
  }
}
