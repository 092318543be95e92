/* The cards above the curves: a figure, its trend, its meaning, and its quality. Created once, then changed in
   place. */
import { SmallCurve } from "../charts/small_curve.js";
import { h, icon, setChildren, setDifferent, write } from "../lib/dom.js";
import { fixed, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { countedIn, judged } from "./judging.js";

const part = (name) => (metric) => metric.parts?.[name];
const measure = (name) => (metric) => metric[name];

const BOXES = [
  {
    key: "map50",
    label: () => "mAP50",
    up: true,
    value: measure("map50"),
    help: () =>
      t("Mean average precision at IoU {iou}: how well objects are found and classified. Higher is better.", {
        iou: number(0.5, 2),
      }),
  },
  {
    key: "map95",
    label: () => "mAP50-95",
    up: true,
    value: measure("map95"),
    help: () =>
      t("mAP averaged over IoU {low} to {high}: also rewards tight boxes. Higher is better.", {
        low: number(0.5, 2),
        high: number(0.95, 2),
      }),
  },
  {
    key: "precision",
    label: () => t("Precision"),
    up: true,
    value: measure("precision"),
    help: () => t("Share of detections that are correct. Low means many false positives."),
  },
  {
    key: "recall",
    label: () => t("Recall"),
    up: true,
    value: measure("recall"),
    help: () => t("Share of the actual objects that are detected. Low means many missed objects (false negatives)."),
  },
];
const IMAGES = [
  {
    key: "top1",
    label: () => t("Top-1 accuracy"),
    up: true,
    value: part("metrics/accuracy_top1"),
    help: () => t("Share of images whose top prediction is correct. Higher is better."),
  },
  {
    key: "top5",
    label: () => t("Top-5 accuracy"),
    up: true,
    value: part("metrics/accuracy_top5"),
    help: () => t("Share of images whose correct class is among the top five predictions."),
  },
];
const LOSSES = [
  {
    key: "loss",
    label: () => t("Training loss"),
    up: false,
    value: measure("loss"),
    help: () => t("Error on the training images. It should fall, quickly at first."),
  },
  {
    key: "val_loss",
    label: () => t("Validation loss"),
    up: false,
    value: measure("val_loss"),
    help: () =>
      t(
        "Error on the validation images, which are never used for training. If it rises while training loss " +
          "falls, the model is overfitting.",
      ),
  },
];

/** `classes`: their number; among five or fewer, the top-5 accuracy is always 1. */
export function cardsOf(task, classes = Infinity) {
  const images = classes > 5 ? IMAGES : IMAGES.slice(0, 1);
  return [...(task === "classify" ? images : BOXES), ...LOSSES];
}

const BACK = 5; // epochs that the trend compares with as many before
const POINTS = 60; // of the small curve

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The standard deviation of a value around its neighbours (von Neumann 1941), which a trend does not affect. */
function noise(values) {
  if (values.length < 4) return 0;
  const steps = values.slice(1).map((value, index) => (value - values[index]) ** 2);
  return Math.sqrt(mean(steps) / 2);
}

class Card {
  constructor(spec, task) {
    this.spec = spec;
    this.task = task;
    this.trend = h("span", { class: "nowrap metric-trend" });
    this.value = h("span", { class: "metric-value" });
    this.verdict = h("span", { class: "metric-verdict", hidden: true });
    this.curve = new SmallCurve({ className: "metric-curve" });
    this.best = h("span", { class: "metric-best" });
    this.doubt = h("p", { class: "metric-doubt", hidden: true });
    this.element = h(
      "article",
      { class: "panel metric", "data-metric": spec.key },
      h("span", { class: "metric-label" }, spec.label(), this.trend),
      h("div", { class: "metric-row" }, this.value, this.verdict),
      this.curve.element,
      this.best,
      this.doubt,
      h("p", { class: "metric-help" }, spec.help()),
    );
  }

  show(metrics, best) {
    const { spec } = this;
    const last = metrics.at(-1);
    const value = last && spec.value(last);
    write(this.value, fixed(value));
    this.trended(
      metrics
        .slice(-2 * BACK)
        .map((metric) => spec.value(metric))
        .filter(Number.isFinite),
    );
    write(
      this.best,
      best
        ? t("{value} in the best epoch, {epoch}", { value: fixed(spec.value(best)), epoch: number(best.epoch) })
        : "",
    );
    this.judge(value, last);
    this.draw(metrics);
  }

  judge(value, metric) {
    const judgement = judged(this.task, this.spec.key, value, countedIn(metric));
    setDifferent(this.verdict, { hidden: !judgement });
    setDifferent(this.doubt, { hidden: !judgement?.doubt });
    if (!judgement) return;
    write(this.verdict, judgement.word);
    const [good, fair] = judgement.limits.map((limit) => fixed(limit, 2));
    setDifferent(this.verdict, {
      className: `metric-verdict is-${judgement.level}`,
      title: t("Good: {good} or higher. Fair: {fair} or higher.", { good, fair }),
    });
    if (judgement.doubt) {
      if (!this.doubt.firstChild) setChildren(this.doubt, icon("plus-slash-minus"), " ", h("span"));
      write(this.doubt.lastChild, judgement.doubt.text);
    }
  }

  /** The trend: the mean of the last epochs against that of those before, unless it is within their noise. */
  trended(values) {
    if (values.length < 2) {
      setChildren(this.trend);
      return;
    }
    const half = Math.floor(values.length / 2);
    const change = mean(values.slice(-half)) - mean(values.slice(0, -half));
    const arrow = change > 0 ? "arrow-up-right" : "arrow-down-right";
    const steady = Math.abs(change) < Math.max(0.0005, noise(values) * Math.sqrt(2 / half));
    const [symbol, word] = steady
      ? ["arrow-right", t("stable")]
      : [arrow, change > 0 === this.spec.up ? t("better") : t("worse")];
    if (this.trend.dataset.rendered === symbol + word) return;
    this.trend.dataset.rendered = symbol + word;
    this.trend.title = t("The newer half of up to ten epochs compared with the older half");
    setChildren(this.trend, icon(symbol), " ", word);
  }

  draw(metrics) {
    const step = Math.max(1, Math.ceil(metrics.length / POINTS));
    const values = metrics
      .filter((_, index) => (metrics.length - 1 - index) % step === 0)
      .map((metric) => this.spec.value(metric))
      .filter(Number.isFinite);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const edge = (high - low || 1) / 12; // of the height, so that the line is not cut
    this.curve.set(
      values.map((y, x) => ({ x, y })),
      { x: [0, Math.max(1, values.length - 1)], y: [low - edge, high + edge] },
    );
  }
}

export class Cards {
  constructor(container) {
    this.container = container;
    this.task = null;
    this.cards = [];
  }

  show(task, metrics, bestEpoch) {
    const specs = cardsOf(task, metrics.at(-1)?.classes?.length || Infinity);
    if (task !== this.task || specs.length !== this.cards.length) {
      this.task = task;
      this.cards = specs.map((spec) => new Card(spec, task));
      this.container.dataset.count = this.cards.length;
      setChildren(
        this.container,
        this.cards.map(({ element }) => element),
      );
    }
    const best = metrics.find((metric) => metric.epoch === bestEpoch);
    for (const card of this.cards) card.show(metrics, best);
  }
}
