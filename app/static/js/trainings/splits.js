/* The same checkpoint on each split of the dataset: how much worse the model is on unseen images. */
import { get, newKey, post } from "../lib/api.js";
import { h, setChildren, toast } from "../lib/dom.js";
import { fixed, isNumber, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { badge } from "../ui/status.js";
import { splitText } from "./evaluated.js";

const ASK_MS = 3000;
const SPLITS = ["train", "val", "test"];
const SAME = ["dataset_id", "revision", "checkpoint", "img_size"];
const UNDER_WAY = new Set(["pending", "running"]);
const isSame = (one, other) => SAME.every((name) => one[name] === other[name]);

export class SplitFigures {
  /** @param {HTMLElement} container @param {any} evaluation the completed one that the page shows */
  constructor(container, evaluation) {
    this.container = container;
    this.evaluation = evaluation;
    this.dataset = null; // its present state, for the number of images in its splits
    this.load();
  }

  async load() {
    const { training_id: training, dataset_id: dataset } = this.evaluation;
    // The dataset was deleted, or the run has other weights now: these can no longer be evaluated.
    if (dataset === null || this.evaluation.weights_changed) return;
    const [response, counts] = await Promise.all([
      get(`/api/trainings/${training}/evaluations`).catch(() => null),
      get(`/api/datasets/${dataset}`).catch(() => null),
    ]);
    if (!response) return;
    this.dataset = counts;
    const rows = SPLITS.map((split) => [split, this.of(split, response.evaluations)]);
    setChildren(this.container, this.table(rows));
    if (rows.some(([, item]) => item && UNDER_WAY.has(item.status))) setTimeout(() => this.load(), ASK_MS);
  }

  /** The evaluation of a split: the page's, otherwise the newest. */
  of(split, evaluations) {
    if (split === this.evaluation.split) return this.evaluation;
    return evaluations.find(
      (item) =>
        item.split === split &&
        isSame(item, this.evaluation) &&
        (UNDER_WAY.has(item.status) || (item.status === "completed" && !item.weights_changed)),
    );
  }

  table(rows) {
    const classifies = this.evaluation.metrics.top1 !== undefined;
    const columns = classifies
      ? [
          ["top1", t("Accuracy (top-1)"), percent],
          ["top5", t("Accuracy (top-5)"), percent],
        ]
      : [
          ["precision", t("Precision")],
          ["recall", t("Recall")],
          ["map50", "mAP50"],
          ["map95", "mAP50-95"],
        ];
    const titles = [t("Set"), t("Images"), ...columns.map(([, label]) => label)];
    return h(
      "div",
      { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Metrics by set") },
      h(
        "table",
        { class: "list is-tight" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            titles.map((title, index) => h("th", { scope: "col", class: index ? "number" : null }, title)),
          ),
        ),
        h(
          "tbody",
          {},
          rows.map(([split, item]) => this.row(split, item, columns)),
        ),
      ),
    );
  }

  row(split, item, columns) {
    const label = splitText(split);
    if (!item?.metrics)
      return h(
        "tr",
        { "data-split": split },
        h("td", { "data-label": t("Set") }, label),
        h("td", { colspan: columns.length + 1 }, item ? this.waiting(item) : this.offer(split)),
      );
    const mine = item.id === this.evaluation.id;
    const value = (name, text = (figure) => fixed(figure, 3)) =>
      isNumber(item.metrics[name]) ? text(item.metrics[name]) : "–";
    return h(
      "tr",
      { "data-split": split, "aria-current": mine ? "true" : null },
      h(
        "td",
        { "data-label": t("Set") },
        mine ? h("strong", {}, label) : h("a", { href: `/evaluations/${item.id}` }, label),
      ),
      h("td", { class: "number", "data-label": t("Images") }, number(item.images)),
      columns.map(([name, title, text]) => h("td", { class: "number", "data-label": title }, value(name, text))),
    );
  }

  waiting({ id, status }) {
    return h("a", { href: `/evaluations/${id}` }, badge(status));
  }

  offer(split) {
    if (this.isEmpty(split)) return h("span", { class: "under" }, t("No images"));
    return h(
      "button",
      { class: "btn btn-outline btn-sm", type: "button", onclick: () => this.start(split) },
      t("Evaluate"),
    );
  }

  /** Whether a split has no images; unknown for another version of the dataset than the present one. */
  isEmpty(split) {
    return this.dataset?.revision === this.evaluation.revision && this.dataset[`${split}_images`] === 0;
  }

  async start(split) {
    const { training_id: training, dataset_id, revision, checkpoint, img_size } = this.evaluation;
    const request = { split, dataset_id, checkpoint, img_size, ...(revision ? { revision } : {}) };
    const mapping = this.evaluation.mapping ? { classes: this.evaluation.mapping } : {};
    try {
      await post(`/api/trainings/${training}/evaluations`, { ...request, ...mapping }, newKey());
      await this.load();
    } catch (error) {
      toast(error.detail || error.title, "failed");
    }
  }
}
