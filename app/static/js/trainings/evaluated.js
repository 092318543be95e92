/* The results of a model on a split: the verdict, the figures with their uncertainty, and each class. */
import { h } from "../lib/dom.js";
import { fixed, isNumber, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { judged, precisionOf } from "./judging.js";

const NOTHING = 0.01; // as in app/services/trainer/levels.py
const FEW = 50; // images: below, figures vary a lot with the images

const SPLITS = { train: () => t("Training set"), val: () => t("Validation set"), test: () => t("Test set") };
export const splitText = (split) => SPLITS[split]?.() ?? split;

const CHECKPOINTS = { best: () => t("Best checkpoint"), last: () => t("Last checkpoint") };
/** "Best checkpoint", "Epoch 5". @param {string} name as the API has it */
export const checkpointText = (name) => CHECKPOINTS[name]?.() ?? t("Epoch {epoch}", { epoch: number(Number(name)) });

const LEVEL_TEXTS = {
  good: () => t("The model is good on this set."),
  fair: () => t("The model is usable on this set, with errors."),
  low: () => t("The model is not usable on this set yet."),
};

/** The quality, by the limits of the run's own page, its weaknesses, and the uncertainty. */
export function verdictText({ metrics, classes, split, images, names, weights_changed: changed }) {
  if (metrics.top1 === undefined && !isNumber(metrics.map50))
    return t("This set has no objects, so its metrics can't be computed.");
  const classifies = metrics.top1 !== undefined;
  const value = classifies ? metrics.top1 : metrics.map50;
  const level =
    !classifies && value < NOTHING
      ? t("The model detects almost nothing on this set.")
      : LEVEL_TEXTS[judged(classifies ? "classify" : "", classifies ? "top1" : "map50", value, null)?.level]?.();
  const key = classifies ? "recall" : "map50";
  const worst = [...classes].sort((a, b) => a[key] - b[key])[0];
  const weak = names.length > 1 && worst && worst[key] < value - 0.1;
  return [
    level,
    weak ? t("The weakest class is “{name}”.", { name: worst.name }) : "",
    images < FEW ? t("The set is small, so the metrics are uncertain.") : "",
    split === "train" ? t("The model was trained on these images, so the metrics look better than they are.") : "",
    changed ? t("The run has a newer checkpoint than the one evaluated here. Evaluate it again.") : "",
  ]
    .filter(Boolean)
    .join(" ");
}

const LABELS = {
  precision: () => t("Precision"),
  recall: () => t("Recall"),
  map50: () => "mAP50",
  map95: () => "mAP50-95",
  top1: () => t("Accuracy (top-1)"),
  top5: () => t("Accuracy (top-5)"),
};

/** The figures; for the mAP its 95% interval. */
export function figures({ metrics, intervals, sizes, speed_ms: speed }) {
  const entry = (label, value, note) =>
    h("div", {}, h("dt", {}, label), h("dd", {}, value, note && h("small", {}, note)));
  const range = (name) => {
    const interval = intervals?.[name];
    return interval && t("{low} to {high} (95%)", { low: fixed(interval[0], 2), high: fixed(interval[1], 2) });
  };
  const sized = { small: t("Recall, small"), medium: t("Recall, medium"), large: t("Recall, large") };
  return h(
    "dl",
    { class: "evaluated-figures" },
    Object.keys(LABELS)
      .filter((name) => isNumber(metrics[name]))
      .map((name) => entry(LABELS[name](), fixed(metrics[name], 3), range(name))),
    Object.entries(sizes || {})
      .filter(([, size]) => size.objects)
      .map(([name, size]) =>
        entry(
          sized[name],
          percent(size.recall),
          t("{correct} of {total}", { correct: number(size.correct), total: number(size.objects) }),
        ),
      ),
    speed && entry(t("Inference per image"), `${number(speed.inference, 1)} ms`),
  );
}

/** A row for each class, the worst first; `open(name)` shows its images. */
export function classTable({ classes, metrics }, open) {
  if (classes.length < 2) return null;
  const classifies = metrics.top1 !== undefined;
  const two = (value) => (isNumber(value) ? fixed(value, 2) : "–");
  const column = (name, label, text = two) => ({ label, text, value: (item) => item[name] });
  const columns = [
    column("images", t("Images"), number),
    ...(classifies ? [] : [column("objects", t("Objects"), number)]),
    { label: t("Precision"), text: two, value: precisionOf },
    column("recall", t("Recall")),
    ...(classifies
      ? []
      : [column("map50", "AP50"), column("map95", "AP50-95"), column("best_confidence", t("Best confidence"))]),
  ];
  const key = classifies ? "recall" : "map50";
  const row = (item) =>
    h(
      "tr",
      {},
      h(
        "td",
        { "data-label": t("Class") },
        h("button", { class: "link-button", type: "button", onclick: () => open(item.name) }, item.name),
      ),
      columns.map(({ label, text, value }) => h("td", { class: "number", "data-label": label }, text(value(item)))),
    );
  return h(
    "div",
    { class: "table-wrap table-tall", tabindex: 0, role: "group", "aria-label": t("Classes") },
    h(
      "table",
      { class: "list is-tight" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, t("Class")),
          columns.map(({ label }) => h("th", { scope: "col", class: "number" }, label)),
        ),
      ),
      h("tbody", {}, [...classes].sort((a, b) => a[key] - b[key]).map(row)),
    ),
  );
}
