/* What the figures mean, for a beginner, with the thresholds of the judgement: a panel over the page. */
import { cardsOf } from "./cards.js";
import { h } from "./dom.js";
import { fixed } from "./format.js";
import { t } from "./i18n.js";
import { judged } from "./judging.js";
import { lightbox } from "./lightbox.js";

const SIGNS = [
  [() => t("Both losses fall, mAP rises"), () => t("It learns. If it still rises at the end, more epochs help.")],
  [() => t("Training loss falls, validation loss rises"), () => t("It learns the images by heart. More or more varied images, a smaller model, or stop earlier.")],
  [() => t("Both losses stay high"), () => t("It cannot learn. Check the labels, try a larger model or more epochs.")],
  [() => t("Everything swings"), () => t("Steps too large, or too few validation images. A lower learning rate, more images.")],
  [() => t("mAP stays near 0, training loss still falls"), () => t("Too few iterations, above all from scratch. Add epochs or use pretrained weights.")],
  [() => t("mAP stays near 0, training loss is flat"), () => t("The labels probably don't match the images. Look at the boxes in the dataset.")],
  [() => t("High precision, low recall"), () => t("Too shy. Lower the confidence in the test; more varied examples.")],
  [() => t("High recall, low precision"), () => t("It marks too much. Raise the confidence; add images without objects.")],
];

export function showMetricHelp(task) {
  const row = ({ key, label, help }) => {
    const limits = judged(task, key, 1, null)?.limits;
    return h("div", { class: "help-item" }, h("dt", {}, label()), h("dd", {}, help(), " ", limits && t("Good from {good}, usable from {fair}.", { good: fixed(limits[0], 2), fair: fixed(limits[1], 2) })));
  };
  const body = () => [
    h("dl", { class: "help-list" }, cardsOf(task).map(row)),
    h("p", {}, t("The ± is the 95 % interval of a share of so many objects (Wilson). With few validation objects a single error moves the figure by several points: then compare only large differences.")),
    h("h3", {}, t("What the curves tell")),
    h("dl", { class: "help-list" }, SIGNS.map(([sign, meaning]) => h("div", { class: "help-item" }, h("dt", {}, sign()), h("dd", {}, meaning())))),
  ];
  lightbox([{ title: t("What the figures mean"), body }]);
}
