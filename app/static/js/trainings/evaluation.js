/* The final validation as data: the recommended confidence, the confusions, the curves behind it, and the worst
   images. */
import { get } from "../lib/api.js";
import { $, fillFrom, h, icon, setChildren } from "../lib/dom.js";
import { fixed, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { lightbox } from "../ui/lightbox.js";
import { curvePlots } from "./curve_plots.js";
import { thresholdText } from "./judging.js";
import { DENSE, matrixTable } from "./matrix.js";
import { MarkedPicture } from "../ui/marked_picture.js";

const WORST_AT_FIRST = 12;

const WISHES = {
  balanced: () => t("Balanced (best F1)"),
  precise: (goal) => t("Few false positives (precision ≥ {goal})", { goal }),
  sensitive: (goal) => t("Few false negatives (recall ≥ {goal})", { goal }),
};

export class EvaluationView {
  /** `panel` stays hidden until there is an evaluation. */
  constructor(panel, id, name) {
    this.panel = panel;
    this.id = id;
    this.name = name;
    this.plots = [];
  }

  async load() {
    this.panel.hidden = false;
    await fillFrom(
      $("[data-threshold]", this.panel),
      () => get(`/api/trainings/${this.id}/evaluation`),
      (data) => this.show(data),
    );
  }

  /** There is none, or none any more. */
  hide() {
    this.panel.hidden = true;
  }

  show(data) {
    this.data = data;
    this.plots.forEach((plot) => plot.end());
    setChildren(
      $("[data-evaluation-about]", this.panel),
      tn("{n} image", "{n} images", data.images),
      ", ",
      tn("{n} object", "{n} objects", data.objects),
    );
    setChildren($("[data-threshold]", this.panel), this.advice());
    this.curves();
    $(".evaluation", this.panel).classList.toggle("is-tall", data.names.length > DENSE);
    setChildren(
      $("[data-matrix]", this.panel),
      matrixTable(data, (cell) => this.openCell(cell)),
    );
    setChildren($("[data-worst]", this.panel), this.worst());
  }

  nameOf(index) {
    return this.data.names[index] ?? t("background");
  }

  /** The recommended confidence, with its figures; and the confidences for other goals. */
  advice() {
    const { best, curves, accuracy, thresholds } = this.data;
    if (accuracy) return h("p", { class: "threshold-main" }, accuracyText(accuracy, this.data.names));
    if (!thresholds.length || !curves)
      return h(
        "p",
        { class: "quiet" },
        t("The model detected almost nothing in the validation images, so no confidence threshold can be recommended."),
      );
    const rows = thresholds.map((row) => [WISHES[row.name](percent(row.goal)), row]);
    return [
      h(
        "p",
        { class: "threshold-main" },
        t("Use a confidence threshold of {confidence}.", { confidence: fixed(best.confidence, 2) }),
        " ",
        thresholdText(best, this.data.names.length),
      ),
      h(
        "div",
        { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Confidence") },
        h(
          "table",
          { class: "list is-tight" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              [t("Goal"), t("Confidence"), t("Precision"), t("Recall")].map((text, index) =>
                h("th", { scope: "col", class: index ? "number" : null }, text),
              ),
            ),
          ),
          h(
            "tbody",
            {},
            rows.map(([title, item]) =>
              h(
                "tr",
                {},
                h("td", {}, title),
                [item.confidence, item.precision, item.recall].map((value) =>
                  h("td", { class: "number" }, fixed(value, 2)),
                ),
              ),
            ),
          ),
        ),
      ),
    ];
  }

  curves() {
    const { curves, best, thresholds } = this.data;
    const container = $("[data-evaluation-curves]", this.panel);
    container.hidden = !curves;
    this.plots = !curves
      ? []
      : curvePlots(container, {
          curves: { ...curves, classes: curves.classes.map((item) => ({ ...item, name: this.nameOf(item.class) })) },
          threshold: thresholds.length ? best.confidence : null,
          name: () => this.name(),
        });
  }

  worst() {
    const { worst } = this.data;
    if (!worst.length) return h("p", { class: "panel-empty" }, t("No image has an error at this threshold."));
    const pictures = worst.map((number_) => this.data.pictures[number_]);
    const list = h(
      "div",
      { class: "previews" },
      pictures.map((picture, index) => {
        const view = this.picture(picture);
        return h(
          "button",
          {
            class: "preview preview-open",
            type: "button",
            hidden: index >= WORST_AT_FIRST,
            title: picture.file,
            onclick: () => this.open(pictures, index),
          },
          view.element,
          h("span", { class: "under" }, tn("{n} error", "{n} errors", picture.errors)),
        );
      }),
    );
    const more =
      pictures.length > WORST_AT_FIRST &&
      h(
        "button",
        {
          class: "btn btn-outline btn-sm",
          type: "button",
          onclick: () => {
            list.querySelectorAll("[hidden]").forEach((item) => {
              item.hidden = false;
            });
            more.remove();
          },
        },
        t("Show all ({n})", { n: number(pictures.length) }),
      );
    return [this.data.task !== "classify" && this.legend(pictures[0]), list, more]; // the meaning of the colours
  }

  /** An image with its detections in the colour of their outcome: correct, or an error. */
  picture(picture) {
    const { names, task } = this.data;
    const view = new MarkedPicture(picture.url, picture, picture.file);
    const outcome = new Map(
      picture.pairs
        .filter(([index]) => index >= 0)
        .map(([index, there]) => [
          picture.found[index],
          there >= 0 && picture.truth[there].class === picture.found[index].class,
        ]),
    );
    const missed = new Set(picture.pairs.filter(([index]) => index < 0).map(([, there]) => picture.truth[there]));
    view.draw(
      task === "classify"
        ? []
        : [
            { shapes: picture.truth, names, truth: true, colour: (shape) => (missed.has(shape) ? "#ffb000" : "#fff") },
            {
              shapes: picture.found,
              names,
              labels: true,
              colour: (shape) => (outcome.get(shape) ? "#157a3c" : "#b3261a"),
            },
          ],
    );
    return view;
  }

  open(pictures, start) {
    lightbox(
      pictures.map((picture) => ({
        title: picture.file,
        body: () => [this.picture(picture).element, this.legend(picture)],
      })),
      start,
    );
  }

  legend(picture) {
    if (this.data.task === "classify") {
      return h(
        "p",
        {},
        t("ground truth: {name}", { name: this.nameOf(picture.truth[0].class) }),
        " · ",
        t("top predictions: {names}", {
          names: picture.found.map((item) => `${this.nameOf(item.class)} ${percent(item.conf)}`).join(", "),
        }),
      );
    }
    const entry = (symbol, className, text) =>
      h("span", { class: `legend-item ${className}` }, icon(symbol), " ", text);
    return h(
      "p",
      { class: "legend" },
      entry("check-circle-fill", "is-right", t("True positive")),
      entry("x-octagon-fill", "is-wrong", t("False positive")),
      entry("dash-square-dotted", "", t("Ground truth")),
      entry("exclamation-diamond-fill", "is-missed", t("False negative")),
    );
  }

  openCell([predicted, truth]) {
    const numbers = this.data.cells[`${predicted},${truth}`] || [];
    if (numbers.length)
      this.open(
        numbers.map((index) => this.data.pictures[index]),
        0,
      );
  }
}

/** With five classes or fewer the top-5 accuracy is always 1 and not shown. */
function accuracyText(accuracy, names) {
  const top1 = percent(accuracy.top1, 1);
  if (names.length <= 5) return t("The top prediction is correct for {top1} of the images.", { top1 });
  return t(
    "The top prediction is correct for {top1} of the images. The correct class is among the top five for {top5}.",
    { top1, top5: percent(accuracy.top5, 1) },
  );
}
