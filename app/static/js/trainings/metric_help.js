/* The meaning of the figures, for a beginner, with the thresholds of the judgement: a panel over the page. */
import { cardsOf } from "./cards.js";
import { h } from "../lib/dom.js";
import { fixed, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { judged } from "./judging.js";
import { lightbox } from "../ui/lightbox.js";

const SIGNS = [
  [
    () => t("Both losses fall, mAP rises"),
    () => t("The model is learning. If mAP is still rising at the end, add epochs."),
  ],
  [
    () => t("Training loss falls, validation loss rises"),
    () => t("The model is overfitting. Add more, or more varied, images, use a smaller model or stop earlier."),
  ],
  [
    () => t("Both losses stay high"),
    () => t("The model isn't learning. Check the labels, use a larger model or train for more epochs."),
  ],
  [
    () => t("Metrics fluctuate strongly"),
    () =>
      t(
        "The learning rate is too high, or there are too few validation images. Lower the learning rate or add images.",
      ),
  ],
  [
    () => t("mAP stays near 0, training loss still falls"),
    () => t("Too few iterations, above all from scratch. Add epochs or use pretrained weights."),
  ],
  [
    () => t("mAP stays near 0, training loss is flat"),
    () => t("The labels probably don't match the images. Look at the boxes in the dataset."),
  ],
  [
    () => t("High precision, low recall"),
    () => t("The model misses objects. Lower the confidence threshold when testing; add more varied examples."),
  ],
  [
    () => t("High recall, low precision"),
    () => t("Too many false positives. Raise the confidence threshold; add background images."),
  ],
];

export function showMetricHelp(task) {
  const row = ({ key, label, help }) => {
    const limits = judged(task, key, 1, null)?.limits;
    return h(
      "div",
      { class: "help-item" },
      h("dt", {}, label()),
      h(
        "dd",
        {},
        help(),
        " ",
        limits &&
          t("Good: {good} or higher. Fair: {fair} or higher.", {
            good: fixed(limits[0], 2),
            fair: fixed(limits[1], 2),
          }),
      ),
    );
  };
  const body = () => [
    h("dl", { class: "help-list" }, cardsOf(task).map(row)),
    h(
      "p",
      {},
      t(
        "± is the {level} confidence interval (Wilson) for the number of objects or images. With few " +
          "validation objects, a single error changes the value by several points, so compare only large " +
          "differences.",
        { level: percent(0.95) },
      ),
    ),
    h("h3", {}, t("Understanding the curves")),
    h(
      "dl",
      { class: "help-list" },
      SIGNS.map(([sign, meaning]) => h("div", { class: "help-item" }, h("dt", {}, sign()), h("dd", {}, meaning()))),
    ),
  ];
  lightbox([{ title: t("Understanding the metrics"), body }]);
}
