/* The same validation images after each epoch: a slider, or a film, shows the model's progress. */
import { get } from "../lib/api.js";
import { $, failure, h, icon, setChildren, setDifferent, skeleton, write } from "../lib/dom.js";
import { fixed, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { classKey, EpochDetections } from "./epoch_detections.js";
import { detectedText } from "./judging.js";
import { readPref, savePref } from "../lib/prefs.js";
import { MarkedPicture } from "../ui/marked_picture.js";

const FRAME_MS = 350; // of the film

export class PreviewsView {
  /** `panel` stays hidden while there is nothing to show; `metricAt(epoch)` returns the line below the slider. */
  constructor(panel, id, metricAt) {
    this.panel = panel;
    this.id = id;
    this.metricAt = metricAt;
    this.index = null;
    this.epochs = [];
    this.at = null;
    this.detections = new EpochDetections(id);
    this.pictures = [];
    this.playing = null;
    this.options = { truth: true, detections: true, conf: 0.25, ...readPref("previews", {}) };
    this.container = $("[data-preview-body]", panel);
    this.onScreen = false;
    new IntersectionObserver((entries) => this.setOnScreen(entries.at(-1).isIntersecting), {
      rootMargin: "60px",
    }).observe(panel);
  }

  /** What changed while it was off the screen is requested now. */
  setOnScreen(onScreen) {
    this.onScreen = onScreen;
    if (onScreen && this.stale) this.load(this.finished);
  }

  /** An epoch ended: there are new predictions. */
  changed() {
    this.stale = true;
    if (this.onScreen || this.panel.hidden) this.load(false);
  }

  /** Load the list of images and epochs; `finished`: no further epoch will come. */
  async load(finished) {
    this.finished = finished;
    this.stale = false;
    try {
      const index = await get(`/api/trainings/${this.id}/previews`);
      const newest = this.at === null || this.at === this.epochs.at(-1);
      this.epochs = index.epochs;
      this.panel.hidden = !index.images.length;
      if (!index.images.length) return;
      if (
        JSON.stringify(index.images.map(({ file }) => file)) !==
        JSON.stringify(this.index?.images.map(({ file }) => file))
      )
        this.build(index);
      this.detections.forget(this.epochs.at(-1)); // it may have been repeated
      if (index.newest) this.detections.remember(index.newest);
      const epoch = newest || !this.epochs.includes(this.at) ? (this.epochs.at(-1) ?? null) : this.at;
      await this.detections.load(epoch); // before it is shown, so that the page changes once
      await this.show(epoch);
    } catch (error) {
      if (this.index) return; // the next epoch requests it again
      this.panel.hidden = false;
      setChildren(
        this.container,
        h(
          "div",
          { class: "panel-body" },
          failure(error, () => {
            setChildren(this.container, skeleton(3));
            this.load(finished);
          }),
        ),
      );
    }
  }

  build(index) {
    this.index = index;
    this.descriptions = [];
    this.pictures.forEach((picture) => picture.end());
    this.pictures = index.images.map((image) => new MarkedPicture(image.url, image, image.file));
    this.captions = index.images.map(() => h("figcaption", { class: "under" }));
    setChildren(
      this.container,
      this.controls(),
      classKey(index),
      h(
        "div",
        { class: "previews" },
        this.pictures.map((picture, position) =>
          h(
            "figure",
            { class: "preview", title: index.images[position].file },
            picture.element,
            this.captions[position],
          ),
        ),
      ),
    );
  }

  controls() {
    this.slider = h("input", {
      class: "form-range",
      type: "range",
      min: 0,
      max: 0,
      step: 1,
      value: 0,
      "aria-label": t("Epoch"),
      oninput: () => {
        this.stop();
        this.show(this.epochs[Number(this.slider.value)]);
      },
    });
    this.label = h("output", { class: "preview-epoch" });
    this.button = h("button", {
      class: "btn btn-outline btn-sm",
      type: "button",
      onclick: () => (this.playing ? this.stop() : this.play()),
    });
    this.updateButton(false);
    const conf = h("input", {
      class: "form-range",
      type: "range",
      min: 0.05,
      max: 0.95,
      step: 0.05,
      value: this.options.conf,
      "aria-label": t("Confidence"),
      oninput: () => {
        this.option("conf", Number(conf.value));
      },
    });
    this.confLabel = h("output", {}, percent(this.options.conf));
    const box = (name, label) =>
      h(
        "label",
        { class: "form-check" },
        h("input", {
          class: "form-check-input",
          type: "checkbox",
          checked: this.options[name],
          onchange: (event) => this.option(name, event.target.checked),
        }),
        " ",
        label,
      );
    return h(
      "div",
      { class: "preview-controls" },
      h("div", { class: "preview-time" }, this.button, this.slider, this.label),
      h(
        "div",
        { class: "preview-options" },
        box("detections", t("Detections")),
        this.index.task !== "classify" && box("truth", t("Ground truth (dashed)")),
        this.index.task !== "classify" &&
          h(
            "span",
            { class: "preview-conf" },
            h("span", { class: "under" }, t("Minimum confidence")),
            conf,
            this.confLabel,
          ),
      ),
    );
  }

  option(name, value) {
    this.options[name] = value;
    savePref("previews", this.options);
    this.confLabel.textContent = percent(this.options.conf);
    this.paint();
  }

  updateButton(playing) {
    setChildren(this.button, icon(playing ? "pause-fill" : "play-fill"), " ", playing ? t("Stop playback") : t("Play"));
  }

  play() {
    if (this.epochs.length < 2) return;
    let position = this.at === this.epochs.at(-1) ? 0 : this.epochs.indexOf(this.at);
    this.updateButton(true);
    const step = async () => {
      await this.show(this.epochs[position]);
      if (!this.playing) return;
      if (++position >= this.epochs.length) {
        this.stop();
        return;
      }
      this.playing = setTimeout(step, FRAME_MS);
    };
    this.playing = setTimeout(step, 0);
  }

  stop() {
    clearTimeout(this.playing);
    if (this.playing) this.updateButton(false);
    this.playing = null;
  }

  async show(epoch) {
    this.at = epoch;
    const disabled = this.epochs.length < 2;
    setDifferent(this.slider, {
      max: String(Math.max(0, this.epochs.length - 1)),
      value: String(Math.max(0, this.epochs.indexOf(epoch))),
      disabled,
      "aria-valuetext": epoch === null ? "" : t("epoch {epoch}", { epoch: number(epoch) }),
    });
    setDifferent(this.button, { disabled });
    const metric = epoch === null ? null : this.metricAt(epoch);
    const measure = metric && (this.index.task === "classify" ? metric.parts?.["metrics/accuracy_top1"] : metric.map50);
    const none = this.finished
      ? t("No predictions: the run ended before its first epoch was completed.")
      : t("The first predictions appear after the first epoch.");
    const parts = [
      t("epoch {epoch}", { epoch: number(epoch) }),
      Number.isFinite(measure) && `${this.index.task === "classify" ? t("accuracy") : "mAP50"} ${fixed(measure)}`,
    ];
    write(this.label, epoch === null ? none : parts.filter(Boolean).join(" · "));
    await this.detections.load(epoch);
    if (this.at === epoch) this.paint();
  }

  paint() {
    const { names, images, task } = this.index;
    const predicted = this.detections.has(this.at);
    const detections = this.detections.of(this.at);
    this.pictures.forEach((picture, position) => {
      const all = detections[position] || [];
      const shapes = task === "classify" ? [] : all.filter(({ conf }) => conf >= this.options.conf);
      picture.draw([
        ...(this.options.truth
          ? [{ shapes: task === "classify" ? [] : images[position].truth, names, truth: true }]
          : []),
        ...(this.options.detections ? [{ shapes, names, labels: true }] : []),
      ]);
      const rendered = JSON.stringify(task === "classify" ? all[0] : [predicted, shapes.length]);
      if (this.descriptions[position] === rendered) return;
      this.descriptions[position] = rendered;
      setChildren(
        this.captions[position],
        task === "classify"
          ? guess(all[0], images[position].truth[0], names)
          : predicted
            ? detectedText(task, shapes.length, all.length, images[position].truth.length)
            : tn("{n} annotated object", "{n} annotated objects", images[position].truth.length),
      );
    });
  }
}

function guess(first, truth, names) {
  if (!first) return names[truth?.class] ?? "";
  const right = first.class === truth?.class;
  return [
    h(
      "span",
      { class: right ? "is-right" : "is-wrong" },
      icon(right ? "check-circle-fill" : "x-octagon-fill"),
      ` ${names[first.class] ?? first.class} ${percent(first.conf)}`,
    ),
    !right && ` · ${t("ground truth: {name}", { name: names[truth?.class] ?? "?" })}`,
  ];
}
