/* What a training measures: its cards, with what each figure means, and its curves. */
import { mount, Plot } from "./charts.js";
import { h, icon } from "./dom.js";
import { fixed, number } from "./format.js";
import { t } from "./i18n.js";

const CARDS = [
  { key: "map50", label: () => "mAP50", up: true, help: () => t("How well things are found, counting a box that overlaps the true one by half. Higher is better; above 0.8 is good.") },
  { key: "map95", label: () => "mAP50-95", up: true, help: () => t("The same with ever stricter overlap: how exact the boxes are. Higher is better; above 0.5 is good.") },
  { key: "precision", label: () => t("Precision"), up: true, help: () => t("Of the boxes it draws, how many are right. Low means false alarms.") },
  { key: "recall", label: () => t("Recall"), up: true, help: () => t("Of the things that are there, how many it finds. Low means it misses some.") },
  { key: "loss", label: () => t("Training loss"), up: false, help: () => t("Its error on the pictures it learns from. It should fall, fast at first.") },
  { key: "val_loss", label: () => t("Validation loss"), up: false, help: () => t("Its error on pictures it never learned from. If it rises while the other falls, it learns by heart.") },
];

/** The six cards, from the metrics so far. */
export function metricCards(metrics, bestEpoch) {
  const last = metrics.at(-1) || {};
  const before = metrics.at(-6) || metrics[0] || {};
  const best = metrics.find((metric) => metric.epoch === bestEpoch);
  return CARDS.map(({ key, label, up, help }) => h("article", { class: "panel metric", "data-metric": key },
    h("span", { class: "metric-label" }, label(), metrics.length > 1 ? trend(last[key] - before[key], up) : null),
    h("span", { class: "metric-value" }, fixed(last[key])),
    h("span", { class: "metric-best" }, best ? t("{value} in the best epoch, {epoch}", { value: fixed(best[key]), epoch: number(best.epoch) }) : ""),
    h("p", { class: "metric-help" }, help())));
}

/** Where it has gone in the last five epochs. */
function trend(change, up) {
  if (!Number.isFinite(change)) return null;
  const still = Math.abs(change) < 0.0005;
  const [symbol, word] = still ? ["arrow-right", t("steady")]
    : change > 0 === up ? [change > 0 ? "arrow-up-right" : "arrow-down-right", t("better")]
      : [change > 0 ? "arrow-up-right" : "arrow-down-right", t("worse")];
  return h("span", { class: "nowrap", title: t("Over the last five epochs") }, icon(symbol), " ", word);
}

const part = (name) => (metric) => metric.parts?.[name];

/** The epoch with the best fitness, as ultralytics counts it: 0.1 mAP50 + 0.9 mAP50-95; null before the first. */
export function bestEpoch(metrics) {
  const fitness = (metric) => metric.fitness ?? 0.1 * (metric.map50 || 0) + 0.9 * (metric.map95 || 0);
  const best = metrics.reduce((top, metric) => (!top || fitness(metric) > fitness(top) ? metric : top), null);
  return best && fitness(best) > 0 ? best.epoch : null;
}

/** The curves over epochs in `place`, with `others` behind them; `name()` starts the names of downloaded files. */
export function createPlots(place, name, others = []) {
  const file = (suffix) => () => `${name()}-${suffix}`;
  const plots = [
    new Plot({ title: "mAP", name: file("map"), min: 0, max: 1, wide: true, series: [
      { label: "mAP50", value: (metric) => metric.map50, colour: 1 },
      { label: "mAP50-95", value: (metric) => metric.map95, colour: 2 },
    ] }),
    new Plot({ title: t("Loss"), name: file("loss"), min: 0, wide: true, series: [
      { label: t("training"), value: (metric) => metric.loss, colour: 1 },
      { label: t("validation"), value: (metric) => metric.val_loss, colour: 2, dashed: true },
    ] }),
    new Plot({ title: t("Precision and recall"), name: file("precision-recall"), min: 0, max: 1, series: [
      { label: t("Precision"), value: (metric) => metric.precision, colour: 3 },
      { label: t("Recall"), value: (metric) => metric.recall, colour: 4 },
    ] }),
    new Plot({ title: t("Parts of the loss"), name: file("loss-parts"), min: 0, series: [
      { label: "box", value: part("train/box_loss"), colour: 1 },
      { label: "cls", value: part("train/cls_loss"), colour: 2 },
      { label: "dfl", value: part("train/dfl_loss"), colour: 3 },
      { label: "val box", value: part("val/box_loss"), colour: 1, dashed: true },
      { label: "val cls", value: part("val/cls_loss"), colour: 2, dashed: true },
      { label: "val dfl", value: part("val/dfl_loss"), colour: 3, dashed: true },
    ] }),
    new Plot({ title: t("Learning rate"), name: file("learning-rate"), min: 0, series: [
      { label: t("learning rate"), value: (metric) => metric.learning_rate, colour: 1 },
    ] }),
  ];
  mount(place, [...plots, ...others]);
  return plots;
}
