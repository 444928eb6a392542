/** Step 4, learn: a recorded run as a film, and one step of it in slow motion. */

/** @import { Subject } from "./subject.js" */

import { nats } from "./balance.js";
import { find } from "./dom.js";
import { Recital } from "./recital.js";
import { Recorded } from "./recorded.js";
import { paintFace } from "./reel.js";
import { theShelf } from "./shelf.js";
import { SlowMotion } from "./slow_motion.js";

/** A step of the run of which much is to be seen. */
const TELLING = 100;

export class Learning extends Recital {
  view = "film";

  /**
   * @param {HTMLElement} section
   * @param {Subject} _subject  The film has a model of its own.
   * @param {Record<string, string>} palette
   */
  constructor(section, _subject, palette) {
    super(section, palette, "learn");
    this.slow = new SlowMotion(section, palette, this.reel);
    this.reel.onDraw = () => {
      if (this.view === "slow") this.slow.draw();
    };
    this.reel.onPress = (at) => this.view === "slow" && this.slow.press(at);
  }

  take() {
    const film = theShelf().recordings?.film;
    if (!film || this.reel.recorded) return;
    const recorded = new Recorded(film);
    const { told } = recorded;
    this.section.dataset.state = "known";
    this.reel.load(recorded, 0);
    this.slow.load(recorded);
    const curve = told.curve ?? [];
    this.curve.show({
      lines: [
        { name: "training", colour: "accent", points: curve.map(([x, y]) => [x, y]) },
        { name: "validation", colour: "warm", points: curve.map(([x, , y]) => [x, y]) },
      ],
      stops: told.frames.map(({ at }) => at),
      written: (at) => at.toLocaleString("en"),
    });
    this.resize();
  }

  /** @param {string} view  `film` or `slow`. */
  turn(view) {
    super.turn(view);
    this.reel.stop();
    this.reel.hold(view === "film");
    const { recorded, place } = this.reel;
    // At the very first step there is little to see of a step.
    const later = recorded?.told.frames.findIndex(({ at }) => at >= TELLING) ?? -1;
    if (view === "slow" && place === 0 && later > 0) this.reel.go(later);
    else if (view === "slow") this.slow.begin();
    this.resize();
  }

  tell() {
    const { reel, section } = this;
    if (!reel.recorded) return;
    const { told } = reel.recorded;
    const moment = told.frames[reel.place];
    this.curve.point(reel.place);
    /** @type {Record<string, string>} */
    const texts = {
      step: moment.at.toLocaleString("en"),
      seen: (moment.at * (told.batch ?? 0)).toLocaleString("en"),
      elbo: nats(moment.training.elbo),
      likelihood: nats(moment.training.logLikelihood),
      kl: nats(moment.training.kl),
      heldout: nats(moment.heldout.elbo),
      training: told.images[0].toLocaleString("en"),
      validation: told.images[1].toLocaleString("en"),
    };
    for (const [name, text] of Object.entries(texts)) {
      find(section, `.film [data-figure=${name}]`, HTMLElement).textContent = text;
    }
    if (this.view === "slow") this.slow.begin();
  }

  /** The face at z, as this model and as the last one makes it. */
  paint() {
    const { reel, section } = this;
    const { recorded } = reel;
    if (!recorded) return;
    for (const [name, place] of /** @type {[string, number][]} */ ([
      [".now", reel.place],
      [".ending", recorded.count - 1],
    ])) {
      const { mean } = recorded.decoder(place).decode(reel.whole());
      paintFace(find(section, name, HTMLCanvasElement), recorded, mean);
    }
  }
}
