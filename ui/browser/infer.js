/** Step 2, infer: a face is given, and q is in one's own hands. */

/** @import { Answer, Given, Subject } from "./subject.js" */
/** @import { Evidence } from "./evidence.js" */
/** @import { Posterior, Terms } from "./bound.js" */

import { drawBalance, nats } from "./balance.js";
import { bounded, climb, elbo, FARTHEST, LEAST_DEVIATION, MOST_DEVIATION } from "./bound.js";
import { find } from "./dom.js";
import { boundsOf, logPosterior } from "./evidence.js";
import { Field, label } from "./field.js";
import { between, Holding } from "./holding.js";

/** Points a side of the posterior's picture. */
const CLOUD = 96;

/** A posterior smaller than this, in CSS pixels, is shown by a ring. */
const SMALL = 14;

/** How long q takes to the encoder's answer. */
const WALK_MS = 700;

/** The largest shortfall that counts as none, in nats. */
const EVEN = 0.05;

/** The four nodes nearest to q's mean: faces that q would draw. */
const INNER = [4, 5, 6, 7];

export class Infer {
  /** @type {Answer | undefined} */
  answer;

  /** @type {Evidence | undefined}  It is known before the rest. */
  evidence;

  /** @type {HTMLCanvasElement | undefined}  The posterior's picture. */
  cloud;

  /** @type {{left: number, right: number, bottom: number, top: number} | undefined}  Where it is. */
  box;

  walking = 0;
  asked = 0;

  /** @type {Terms | undefined} */
  terms;

  /**
   * @param {HTMLElement} section
   * @param {Subject} subject
   * @param {Record<string, string>} palette
   */
  constructor(section, subject, palette) {
    this.section = section;
    this.subject = subject;
    this.palette = palette;
    this.field = new Field(find(section, ".field", HTMLCanvasElement), palette, subject.extent);
    this.hand = new Holding(this.field);
    this.bar = find(section, ".balance", HTMLCanvasElement);
    this.pictures = {
      given: find(section, ".given", HTMLCanvasElement),
      mean: find(section, ".mean", HTMLCanvasElement),
      around: [...section.querySelectorAll(".around canvas")],
    };
    this.truth = find(section, "[name=truth]", HTMLInputElement);
    this.field.onDraw = () => this.draw();
    this.field.onPress = (at, z) => this.hand.press(at, z);
    this.field.onKey = (event) => this.hand.key(event);
    this.hand.onTake = () => this.stop();
    this.hand.onChange = () => this.ask();
    this.listen();
  }

  listen() {
    /** @type {Record<string, () => void>} */
    const actions = {
      encoder: () => this.letEncoder(),
      climb: () => this.climb(),
      prior: () => this.restart(),
      closer: () => this.closeIn(),
      whole: () => this.field.whole(),
    };
    for (const [name, act] of Object.entries(actions)) {
      find(this.section, `[name=${name}]`, HTMLButtonElement).addEventListener("click", act);
    }
    find(this.section, "[name=encoder]", HTMLButtonElement).hidden = !this.subject.encoder;
    this.truth.addEventListener("change", () => this.field.refresh());
    this.field.canvas.addEventListener("dblclick", () => this.closeIn());
    this.chooser = find(this.section, ".faces", HTMLElement);
    this.inputs = ["mean1", "mean2", "deviation1", "deviation2"].map((name) =>
      find(this.section, `[name=${name}]`, HTMLInputElement),
    );
    this.inputs.forEach((input, i) => {
      const limits =
        i < 2 ? [-FARTHEST, FARTHEST] : [LEAST_DEVIATION, MOST_DEVIATION].map(Math.log);
      Object.assign(input, { min: String(limits[0]), max: String(limits[1]), step: "any" });
      input.addEventListener("input", () => this.take(i, Number(input.value)));
      input.addEventListener("keydown", (event) => this.nudge(event, i));
    });
    this.offer();
  }

  /**
   * @param {number} i  Which slider.
   * @param {number} value
   */
  take(i, value) {
    this.stop();
    const { mean, deviation } = this.hand.q;
    const q = { mean: [...mean], deviation: [...deviation] };
    if (i < 2) q.mean[i] = bounded(value, -FARTHEST, FARTHEST);
    else q.deviation[i - 2] = bounded(Math.exp(value), LEAST_DEVIATION, MOST_DEVIATION);
    this.hand.set(q);
  }

  /**
   * A slider's arrow keys go in steps that suit q: of a mean a quarter of its deviation.
   *
   * @param {KeyboardEvent} event
   * @param {number} i
   */
  nudge(event, i) {
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const { mean, deviation } = this.hand.q;
    if (i < 2) this.take(i, mean[i] + (way * deviation[i]) / 4);
    else this.take(i, Math.log(deviation[i - 2]) + way * 0.1);
  }

  /** The faces to choose from. */
  offer() {
    const { made, seen } = this.subject;
    /** @param {Given} given @param {string} name */
    const button = (given, name) => {
      const made_ = document.createElement("button");
      made_.type = "button";
      made_.setAttribute("aria-label", name);
      made_.title = name;
      const face = document.createElement("canvas");
      this.subject.paint(face, given.x);
      made_.append(face);
      made_.addEventListener("click", () => this.choose(given));
      return made_;
    };
    this.choices = [
      ...made.map((given, i) => ({ given, name: `Face ${i + 1}, made by the model` })),
      ...seen.map((given, i) => ({ given, name: `Face ${i + 1} of the data, not trained on` })),
    ].map(({ given, name }) => ({ given, button: button(given, name) }));
    this.chooser?.replaceChildren(...this.choices.map((choice) => choice.button));
  }

  enter() {
    this.choose(this.subject.given, false);
  }

  leave() {
    this.stop();
  }

  resize() {
    this.field.measure();
    this.ask();
  }

  /** @param {Given} given */
  choose(given, afresh = true) {
    this.subject.given = given;
    this.answer = this.evidence = this.cloud = this.box = undefined;
    this.choices?.forEach((choice) =>
      choice.button.setAttribute("aria-pressed", String(choice.given === given)),
    );
    this.subject.paint(this.pictures.given, given.x);
    if (afresh) {
      this.say("");
      this.restart();
    } else this.ask();
    this.find(given);
  }

  /** @param {Given} given */
  async find(given) {
    this.section.dataset.state = "searching";
    const answer = await this.subject.answer(given, (evidence) => {
      this.evidence = evidence;
      this.cloud = this.picture(evidence);
      this.ask();
      this.field.refresh();
    });
    if (!answer || !this.subject.isAskedFor(given)) return;
    this.answer = answer;
    this.section.dataset.state = "known";
    this.ask();
  }

  restart() {
    this.stop();
    this.hand.set({ mean: [0, 0], deviation: [1, 1] });
    this.field.whole();
  }

  stop() {
    cancelAnimationFrame(this.walking);
    this.walking = 0;
    this.say("");
  }

  /** Look at q from near by, or at the whole plane from there. */
  closeIn() {
    const { mean, deviation } = this.hand.q;
    const reach = mean.map((_, k) => 2.6 * deviation[k]);
    let [left, right, bottom, top] = [
      mean[0] - reach[0],
      mean[0] + reach[0],
      mean[1] - reach[1],
      mean[1] + reach[1],
    ];
    const { box } = this;
    const far = 12 * Math.max(...deviation);
    // The true posterior too, where it is near by and not much larger.
    if (box && this.truth.checked && box.right - box.left < far && box.top - box.bottom < far) {
      const away = Math.hypot(
        (box.left + box.right) / 2 - mean[0],
        (box.bottom + box.top) / 2 - mean[1],
      );
      if (away < far) {
        [left, right] = [Math.min(left, box.left), Math.max(right, box.right)];
        [bottom, top] = [Math.min(bottom, box.bottom), Math.max(top, box.top)];
      }
    }
    const half = 0.56 * Math.max(right - left, top - bottom);
    this.field.glide({ x: (left + right) / 2, y: (bottom + top) / 2, half });
  }

  letEncoder() {
    const goal = this.subject.encoded(this.subject.given);
    if (goal) this.walk(goal, "This is q(z|x), the encoder’s answer: it had one look at the face.");
  }

  /**
   * @param {Posterior} goal
   * @param {string} then
   */
  walk(goal, then) {
    this.stop();
    const from = this.hand.q;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const start = performance.now();
    const step = () => {
      const t = still ? 1 : Math.min(1, (performance.now() - start) / WALK_MS);
      this.hand.set(between(from, goal, t * t * (3 - 2 * t)));
      if (t < 1) this.walking = requestAnimationFrame(step);
      else {
        this.walking = 0;
        this.closeIn();
        this.say(then);
      }
    };
    step();
  }

  /** Walk uphill by the gradient, a step a frame. */
  climb() {
    this.stop();
    const { joint, given, nodes } = this.subject;
    const way = climb(joint, given.x, this.hand.q, nodes);
    let steps = 0;
    const step = () => {
      const next = way.next();
      if (!next.done) {
        steps++;
        this.hand.set(next.value.q);
        this.walking = requestAnimationFrame(step);
        return;
      }
      this.walking = 0;
      this.closeIn();
      const { best } = this.answer ?? {};
      const short = best && this.terms ? best.terms.elbo - this.terms.elbo : 0;
      const taken = steps === 1 ? "1 step" : `${steps} steps`;
      this.say(
        short > 1
          ? `After ${taken} no way leads up from here, but this is not the highest summit: where one begins matters, and the encoder knows where.`
          : `After ${taken} no way leads up from here: this is the best Gaussian.`,
      );
    };
    this.walking = requestAnimationFrame(step);
  }

  /** @param {string} sentence */
  say(sentence) {
    find(this.section, ".said", HTMLElement).textContent = sentence;
  }

  /** Have the figures made before the next picture, once. */
  ask() {
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      this.figure();
    });
  }

  figure() {
    const { subject, hand, palette, evidence, pictures } = this;
    const { joint, nodes, given } = subject;
    const terms = elbo(joint, given.x, hand.q, nodes);
    this.terms = terms;
    // The nodes' own faces are still where the decoder has left them.
    const head = joint.outputs[joint.outputs.length - 1];
    pictures.around.forEach((canvas, i) => {
      const from = 2 * joint.values * INNER[i];
      const face = new Float32Array(joint.values);
      for (let d = 0; d < face.length; d++) face[d] = 1 / (1 + Math.exp(-head[from + d]));
      subject.paint(/** @type {HTMLCanvasElement} */ (canvas), face);
    });
    subject.paint(pictures.mean, subject.meanAt(hand.q.mean));
    const logPx = evidence?.logPx;
    drawBalance(this.bar, palette, terms, logPx);
    /** @type {Record<string, number | undefined>} */
    const told = {
      likelihood: terms.logLikelihood,
      kl: terms.kl,
      elbo: terms.elbo,
      gap: logPx === undefined ? undefined : logPx - terms.elbo,
      px: logPx,
    };
    for (const [name, value] of Object.entries(told)) {
      find(this.section, `[data-figure=${name}]`, HTMLElement).textContent =
        value === undefined ? "…" : nats(value);
    }
    find(this.section, ".score", HTMLElement).textContent = this.score(terms);
    const { mean, deviation } = hand.q;
    this.inputs?.forEach((input, i) => {
      const value = i < 2 ? mean[i] : deviation[i - 2];
      input.value = String(i < 2 ? value : Math.log(value));
      const text = i < 2 ? value.toFixed(3).replace("-", "−") : value.toFixed(value < 0.1 ? 4 : 3);
      input.setAttribute("aria-valuetext", text);
      const output = input.parentElement?.querySelector("output");
      if (output) output.textContent = text;
    });
  }

  /** How far this is from the best. @param {Terms} terms */
  score({ elbo: here }) {
    if (!this.answer) return "Searching for the best Gaussian …";
    const { best, encoder } = this.answer;
    const short = best.terms.elbo - here;
    const first =
      short < EVEN
        ? "You hold the best Gaussian there is."
        : `${nats(short)} nats below the best Gaussian.`;
    if (!encoder) return first;
    const ahead = here - encoder.terms.elbo;
    if (Math.abs(ahead) < EVEN) return `${first} Level with the encoder.`;
    return `${first} ${nats(Math.abs(ahead))} nats ${ahead < 0 ? "below" : "above"} the encoder${ahead > 0 ? ": well done" : ""}.`;
  }

  /** The posterior as shades of one colour, and where they lie. @param {Evidence} evidence */
  picture(evidence) {
    const box = boundsOf(evidence);
    // A little more, so that it ends in nothing.
    const [margin, rise] = [0.05 * (box.right - box.left), 0.05 * (box.top - box.bottom)];
    this.box = {
      left: box.left - margin,
      right: box.right + margin,
      bottom: box.bottom - rise,
      top: box.top + rise,
    };
    const { left, right, bottom, top } = this.box;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: CLOUD, height: CLOUD });
    const density = new Float64Array(CLOUD * CLOUD);
    for (let n = 0; n < density.length; n++) {
      const u = ((n % CLOUD) + 0.5) / CLOUD;
      const v = (Math.floor(n / CLOUD) + 0.5) / CLOUD;
      density[n] = Math.exp(
        logPosterior(evidence, [left + u * (right - left), top - v * (top - bottom)]),
      );
    }
    const most = Math.max(...density);
    this.shades = density.map((value) => value / most);
    return canvas;
  }

  draw() {
    const { field, hand, palette, truth, cloud, subject } = this;
    const { context } = field;
    if (truth.checked && cloud && this.box && this.shades) {
      this.tint(cloud);
      const [left, top] = field.pixels([this.box.left, this.box.top]);
      const [right, bottom] = field.pixels([this.box.right, this.box.bottom]);
      context.imageSmoothingEnabled = true;
      context.imageSmoothingQuality = "high";
      context.drawImage(cloud, left, top, right - left, bottom - top);
      const middle = [(left + right) / 2, (top + bottom) / 2];
      if (Math.max(right - left, bottom - top) < SMALL) {
        context.strokeStyle = palette.warm;
        context.lineWidth = 2;
        context.beginPath();
        context.arc(middle[0], middle[1], 9, 0, 2 * Math.PI);
        context.stroke();
        label(field, "p(z|x)", [middle[0] + 13, middle[1] - 7], palette.warm);
      } else label(field, "p(z|x)", [right - 4, top + 6], palette.warm);
    }
    hand.draw();
    const [left, top] = field.pixels(hand.q.mean);
    label(field, "q(z)", [left - 34, top + 18], palette.accent);
    if (subject.given.z && truth.checked && field.camera.half < 1) {
      const [x, y] = field.pixels(subject.given.z);
      if (Math.min(x, y) < 0 || Math.max(x, y) > field.side) return;
      context.strokeStyle = palette.ink;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x - 5, y - 5);
      context.lineTo(x + 5, y + 5);
      context.moveTo(x + 5, y - 5);
      context.lineTo(x - 5, y + 5);
      context.stroke();
      label(field, "made here", [x + 8, y + 14], palette.ink);
    }
  }

  /** Colour the cloud, when the theme is another. @param {HTMLCanvasElement} cloud */
  tint(cloud) {
    const { palette, shades } = this;
    if (!shades || cloud.dataset.colour === palette.warm) return;
    cloud.dataset.colour = palette.warm;
    const context = cloud.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, CLOUD, CLOUD);
    context.fillStyle = palette.warm;
    context.fillRect(0, 0, CLOUD, CLOUD);
    const image = context.getImageData(0, 0, CLOUD, CLOUD);
    shades.forEach((shade, n) => (image.data[4 * n + 3] = 235 * Math.sqrt(shade)));
    context.putImageData(image, 0, 0);
  }
}
