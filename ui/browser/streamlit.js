/** The door of the app: the pad as a component of Streamlit. */

/** @import { Model } from "./model.js" */
/** @import { State } from "./pad.js" */

import { unpack } from "./model.js";
import { Pad } from "./pad.js";
import { ServedDecoder } from "./served.js";
import { theShelf } from "./shelf.js";

/** How long weights may be under way before the pad says that they are missing. */
const PATIENCE_MS = 10_000;

/**
 * @typedef {object} Data  What Python says at each of its runs.
 * @property {string} channel  Under which models and directions lie on the shelf.
 * @property {string} problem  A sentence in the pad's place, if there is one.
 * @property {number | string} [z_version]  Only when it changes z goes where `start` has it.
 * @property {State} [start]
 */

/** @typedef {(name: string, value: object) => void} Send */

class Mount {
  /** @type {string | undefined}  What Python has heard last. */
  told;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  patience;

  /**
   * @param {ParentNode} root
   * @param {Data} data
   * @param {Send} send
   */
  constructor(root, data, send) {
    this.data = data;
    this.send = send;
    this.pad = new Pad(root, {
      arrows: (model) => this.arrows(model),
      label: (model) => this.label(model),
      onSettle: (state) => this.tell(state),
    });
    if (data.start) this.pad.start(data.start);
    const { signal } = this.pad.ending;
    theShelf().addEventListener(data.channel, () => this.adopt(), { signal });
    theShelf().addEventListener(`${data.channel} axes`, () => this.nameAxes(), { signal });
    const refresh = () => this.pad.refresh();
    theShelf().addEventListener(`${data.channel} frames`, () => this.answer(), { signal });
    theShelf().addEventListener(`${data.channel} arrows`, refresh, { signal });
    theShelf().addEventListener(`${data.channel} labels`, refresh, { signal });
  }

  destroy() {
    clearTimeout(this.patience);
    this.pad.destroy();
  }

  /**
   * @param {Data} data
   * @param {Send} send
   */
  update(data, send) {
    const moved = data.z_version !== this.data.z_version;
    this.data = data;
    this.send = send;
    if (data.problem) {
      this.pad.say(data.problem);
      return;
    }
    this.adopt();
    if (!this.pad.model) {
      this.patience ||= setTimeout(() => {
        this.pad.say("The model's weights have not arrived in this browser: reload the page.");
      }, PATIENCE_MS);
      return;
    }
    if (moved && data.start) this.pad.follow(data.start);
    this.pad.refresh();
  }

  /** Take the model that lies on the shelf, if it is a new one. */
  adopt() {
    const held = theShelf().models.get(this.data.channel);
    if (!held || this.data.problem) return;
    clearTimeout(this.patience);
    const { model } = this.pad;
    this.pad.instrument.ready();
    if (held.model === model?.model && held.version === model.version) return;
    const adopted = unpack(held.buffer);
    if (adopted.decoder instanceof ServedDecoder) {
      adopted.decoder.ask = (question) => {
        const way = this.frames(adopted);
        way?.ask(question);
        return Boolean(way);
      };
    }
    this.pad.adopt(adopted, this.data.start);
    this.nameAxes();
  }

  /**
   * What lies on the shelf of a server that decodes this model.
   *
   * @param {Model} model
   */
  frames({ model }) {
    const held = theShelf().frames.get(this.data.channel);
    return held?.model === model ? held : undefined;
  }

  /** Hand on what the server has answered. */
  answer() {
    const { model } = this.pad;
    const held = model && this.frames(model);
    if (held && model.decoder instanceof ServedDecoder) model.decoder.take(held.answer);
  }

  /** Have a slider for each direction with a name that Python has sent for this model. */
  nameAxes() {
    const { model } = this.pad;
    const held = theShelf().axes.get(this.data.channel);
    const axes = model && held?.model === model.model ? held.axes : [];
    this.pad.nameAxes(axes.filter(({ direction }) => direction.length === model?.latents));
  }

  /**
   * The directions to draw: those that Python has sent for this model.
   *
   * @param {Model} model
   */
  arrows({ model, latents }) {
    const held = theShelf().arrows.get(this.data.channel);
    return held?.model === model ? held.arrows.filter(({ at }) => at.length === latents) : [];
  }

  /**
   * What the points are coloured by: what Python has sent for this model, if it is for as many.
   *
   * @param {Model} model
   */
  label({ model, points, latents }) {
    const held = theShelf().labels.get(this.data.channel);
    const label = held?.model === model ? held.label : undefined;
    return label?.codes.length === points.length / latents ? label : undefined;
  }

  /**
   * Tell Python where z has come to rest, if it has not heard that already.
   *
   * @param {State} state
   */
  tell(state) {
    const news = { ...state, z_version: this.data.z_version };
    const text = JSON.stringify(news);
    if (text === this.told) return;
    this.told = text;
    this.send("settled", news);
  }
}

/**
 * @param {object} component
 * @param {ShadowRoot | HTMLElement} component.parentElement
 * @param {Data} component.data
 * @param {Send} component.setStateValue
 */
export default function ({ parentElement, data, setStateValue }) {
  const host = /** @type {Element & {visagePad?: Mount}} */ (
    parentElement instanceof ShadowRoot ? parentElement.host : parentElement
  );
  // The same place is given again at each run of the script.
  host.visagePad ??= new Mount(parentElement, data, setStateValue);
  const mount = host.visagePad;
  mount.update(data, setStateValue);
  return () => {
    mount.destroy();
    delete host.visagePad;
  };
}
