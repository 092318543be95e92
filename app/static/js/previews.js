/* The same validation images after each epoch: a slider, or a film, shows how the model learns to see them. */
import { get } from "./api.js";
import { $, failure, h, icon, longName, put, skeleton } from "./dom.js";
import { fixed, number, percent } from "./format.js";
import { t } from "./i18n.js";
import { classColour } from "./palette.js";
import { keep, kept } from "./prefs.js";
import { MarkedPicture } from "./marked_picture.js";

const FRAME_MS = 350; // of the film
const REMEMBERED = 400; // epochs
const MOST_KEYS = 12; // classes

export class PreviewsView {
  /** `panel` stays hidden while there is nothing to show; `metricAt(epoch)` for the line below the slider. */
  constructor(panel, id, metricAt) {
    Object.assign(this, { panel, id, metricAt, index: null, epochs: [], at: null, found: new Map(), pictures: [], playing: null });
    this.options = { truth: true, found: true, conf: 0.25, ...kept("previews", {}) };
    this.place = $("[data-preview-body]", panel);
    this.onScreen = false;
    new IntersectionObserver((entries) => this.seen(entries.at(-1).isIntersecting), { rootMargin: "60px" }).observe(panel);
  }

  /** What came while nobody saw it is asked for now. */
  seen(onScreen) {
    this.onScreen = onScreen;
    if (onScreen && this.stale) this.load(this.finished);
  }

  /** An epoch ended: there are new predictions. */
  changed() {
    this.stale = true;
    if (this.onScreen || this.panel.hidden) this.load(false);
  }

  /** Ask which images and epochs there are; `finished`: no epoch is to come. */
  async load(finished) {
    this.finished = finished;
    this.stale = false;
    try {
      const index = await get(`/api/trainings/${this.id}/previews`);
      const newest = this.at === null || this.at === this.epochs.at(-1);
      this.epochs = index.epochs;
      this.panel.hidden = !index.images.length;
      if (!index.images.length) return;
      if (JSON.stringify(index.images.map(({ file }) => file)) !== JSON.stringify(this.index?.images.map(({ file }) => file))) this.build(index);
      this.found.delete(this.epochs.at(-1)); // it may have come again
      if (index.newest) this.remember(index.newest);
      const epoch = newest || !this.epochs.includes(this.at) ? this.epochs.at(-1) ?? null : this.at;
      await this.fetched(epoch); // before it is shown: the page changes once
      await this.show(epoch);
    } catch (error) {
      if (this.index) return; // the next epoch asks again
      this.panel.hidden = false;
      put(this.place, h("div", { class: "panel-body" }, failure(error, () => { put(this.place, skeleton(3)); this.load(finished); })));
    }
  }

  build(index) {
    this.index = index;
    this.said = [];
    this.pictures.forEach((picture) => picture.end());
    this.pictures = index.images.map((image) => new MarkedPicture(image.url, image, image.file));
    this.captions = index.images.map(() => h("figcaption", { class: "under" }));
    put(this.place, this.controls(), this.key(index), h("div", { class: "previews" }, this.pictures.map((picture, place) => h("figure", { class: "preview", title: index.images[place].file }, picture.element, this.captions[place]))));
  }

  /** Which colour is which class: small pictures have no room for every name. */
  key({ names, task }) {
    const list = Object.entries(names).map(([number_, name]) => [Number(number_), name]);
    if (task === "classify" || list.length < 2) return null;
    const more = list.length - MOST_KEYS;
    return h("p", { class: "preview-key" }, list.slice(0, MOST_KEYS).map(([number_, name]) => h("span", { title: name }, h("span", { class: "key-square", style: { background: classColour(number_) } }), longName(name))), more > 0 && h("span", {}, `+${number(more)}`));
  }

  controls() {
    this.slider = h("input", { class: "form-range", type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": t("Epoch"), oninput: () => { this.stop(); this.show(this.epochs[Number(this.slider.value)]); } });
    this.label = h("output", { class: "preview-epoch" });
    this.button = h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: () => (this.playing ? this.stop() : this.play()) });
    this.buttonLook(false);
    const conf = h("input", { class: "form-range", type: "range", min: 0.05, max: 0.95, step: 0.05, value: this.options.conf, "aria-label": t("Confidence"), oninput: () => { this.option("conf", Number(conf.value)); } });
    this.confLabel = h("output", {}, percent(this.options.conf));
    const box = (name, label) => h("label", { class: "form-check" }, h("input", { class: "form-check-input", type: "checkbox", checked: this.options[name], onchange: (event) => this.option(name, event.target.checked) }), " ", label);
    return h("div", { class: "preview-controls" },
      h("div", { class: "preview-time" }, this.button, this.slider, this.label),
      h("div", { class: "preview-options" }, box("found", t("Detections")), this.index.task !== "classify" && box("truth", t("Ground truth (dashed)")),
        this.index.task !== "classify" && h("span", { class: "preview-conf" }, h("span", { class: "under" }, t("Minimum confidence")), conf, this.confLabel)));
  }

  option(name, value) {
    this.options[name] = value;
    keep("previews", this.options);
    this.confLabel.textContent = percent(this.options.conf);
    this.paint();
  }

  buttonLook(playing) {
    put(this.button, icon(playing ? "pause-fill" : "play-fill"), " ", playing ? t("Stop playback") : t("Play"));
  }

  play() {
    if (this.epochs.length < 2) return;
    let place = this.at === this.epochs.at(-1) ? 0 : this.epochs.indexOf(this.at);
    this.buttonLook(true);
    const step = async () => {
      await this.show(this.epochs[place]);
      if (!this.playing) return;
      if (++place >= this.epochs.length) { this.stop(); return; }
      this.playing = setTimeout(step, FRAME_MS);
    };
    this.playing = setTimeout(step, 0);
  }

  stop() {
    clearTimeout(this.playing);
    if (this.playing) this.buttonLook(false);
    this.playing = null;
  }

  async show(epoch) {
    this.at = epoch;
    this.slider.max = Math.max(0, this.epochs.length - 1);
    this.slider.value = Math.max(0, this.epochs.indexOf(epoch));
    this.slider.disabled = this.button.disabled = this.epochs.length < 2;
    const metric = epoch === null ? null : this.metricAt(epoch);
    this.slider.setAttribute("aria-valuetext", epoch === null ? "" : t("epoch {epoch}", { epoch: number(epoch) }));
    const measure = metric && (this.index.task === "classify" ? metric.parts?.["metrics/accuracy_top1"] : metric.map50);
    this.label.textContent = epoch === null ? t("The first predictions appear after the first epoch.") : [t("epoch {epoch}", { epoch: number(epoch) }), Number.isFinite(measure) && `${this.index.task === "classify" ? t("accuracy") : "mAP50"} ${fixed(measure)}`].filter(Boolean).join(" · ");
    await this.fetched(epoch);
    if (this.at === epoch) this.paint();
  }

  /** What was found after an epoch, asked for once. */
  async fetched(epoch) {
    if (epoch === null || this.found.has(epoch)) return;
    try {
      this.remember(await get(`/api/trainings/${this.id}/previews/${epoch}`));
    } catch { /* it was thinned out meanwhile: the picture stays without */ }
  }

  remember({ epoch, images }) {
    this.found.set(epoch, images);
    if (this.found.size > REMEMBERED) this.found.delete(this.found.keys().next().value);
  }

  paint() {
    const { names, images, task } = this.index;
    const found = this.found.get(this.at) || [];
    this.pictures.forEach((picture, place) => {
      const all = found[place] || [];
      const shapes = task === "classify" ? [] : all.filter(({ conf }) => conf >= this.options.conf);
      picture.draw([
        ...(this.options.truth ? [{ shapes: task === "classify" ? [] : images[place].truth, names, truth: true }] : []),
        ...(this.options.found ? [{ shapes, names, labels: true }] : []),
      ]);
      const look = JSON.stringify(task === "classify" ? all[0] : shapes.length);
      if (this.said[place] === look) return;
      this.said[place] = look;
      put(this.captions[place], task === "classify" ? guess(all[0], images[place].truth[0], names) : t("{found} detected, {there} annotated", { found: number(shapes.length), there: number(images[place].truth.length) }));
    });
  }
}

function guess(first, truth, names) {
  if (!first) return names[truth?.class] ?? "";
  const right = first.class === truth?.class;
  return [h("span", { class: right ? "is-right" : "is-wrong" }, icon(right ? "check-circle-fill" : "x-octagon-fill"), ` ${names[first.class] ?? first.class} ${percent(first.conf)}`), !right && ` · ${t("ground truth: {name}", { name: names[truth?.class] ?? "?" })}`];
}
