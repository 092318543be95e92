/* The verdict on a run that has ended: what its model is good for, its weaknesses, its uncertainty, and the next step.
   The texts come from the server. */
import { doAction } from "./actions.js";
import { mayChange } from "../lib/access.js";
import { get } from "../lib/api.js";
import { button, failure, h, icon, setChildren, skeleton } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const CLASSES = {
  good: ["check-circle-fill", "is-good"],
  fair: ["check-circle", "is-fair"],
  low: ["exclamation-triangle-fill", "is-low"],
  nothing: ["x-octagon-fill", "is-nothing"],
};
const UNKNOWN = ["question-circle", "is-unknown"];

export class VerdictView {
  /** `training()` is the page's training, `changed` is called after an action, `weights()` shows how to use them. */
  constructor(panel, { training, changed, weights }) {
    this.panel = panel;
    this.training = training;
    this.changed = changed;
    this.weights = weights;
    this.turn = 0;
  }

  /** For a run that has ended; hidden while it is pending or running. */
  async update() {
    const { id, status } = this.training();
    const ended = ["completed", "failed", "cancelled"].includes(status);
    const turn = ++this.turn;
    this.panel.hidden = !ended;
    if (!ended) {
      setChildren(this.panel, skeleton(3));
      return;
    }
    try {
      const verdict = await get(`/api/trainings/${id}/verdict`);
      if (turn === this.turn) this.show(verdict);
    } catch (error) {
      if (turn === this.turn)
        setChildren(
          this.panel,
          failure(error, () => this.update()),
        );
    }
  }

  show(verdict) {
    const [symbol, className] = CLASSES[verdict.level] || UNKNOWN;
    this.panel.className = `panel verdict ${className}`;
    const facts = [verdict.cause, verdict.weakest, verdict.confusion, verdict.certainty]
      .filter(Boolean)
      .map(({ message }) => message);
    setChildren(
      this.panel,
      icon(symbol),
      h(
        "div",
        { class: "verdict-text" },
        h("h2", { id: "verdict-title" }, verdict.title),
        h(
          "p",
          { class: "verdict-use" },
          verdict.use.message,
          verdict.metric && [" ", h("span", { class: "quiet" }, verdict.metric.message)],
        ),
        facts.length > 0 &&
          h(
            "ul",
            { class: "verdict-facts" },
            facts.map((text) => h("li", {}, text)),
          ),
      ),
      verdict.next.length > 0 &&
        h(
          "div",
          { class: "verdict-next" },
          h("h3", {}, t("Next step")),
          h(
            "ol",
            {},
            verdict.next.map((step) => h("li", {}, h("span", {}, step.message), this.way(step))),
          ),
        ),
    );
  }

  /** The button or the link for a step. */
  way({ action, data }) {
    const training = this.training();
    const { id, dataset_id: dataset } = training;
    const link = (label, href) => h("a", { class: "btn btn-outline btn-sm", href }, label);
    const act = (label, options = {}) =>
      mayChange(training) &&
      button(null, label, () => doAction(action, training, this.changed, options), "btn-outline btn-sm");
    const ways = {
      extend: () => act(t("Add epochs"), data),
      resume: () => act(t("Resume")),
      retry: () => act(t("Retry")),
      clone: () => link(t("Clone"), `/trainings/new?clone=${id}`),
      images: () => link(t("Open the images"), `/datasets/${dataset}?tab=images`),
      class: () => link(t("Open the images"), `/datasets/${dataset}?tab=images&class=${data.class}`),
      issues: () => link(t("Open the issues"), `/datasets/${dataset}?tab=findings`),
      dataset: () => link(t("Open the dataset"), `/datasets/${dataset}`),
      split: () => link(t("Open the dataset"), `/datasets/${dataset}`),
      evaluation: () => link(t("Open the evaluation"), "#evaluation-title"),
      evaluations: () => link(t("Open the evaluations"), "#evaluations-title"),
      test: () => link(t("Test model"), `/tests?training_id=${id}`),
      download: () => button(null, t("Get the weights"), async () => this.weights(), "btn-outline btn-sm"),
      log: () => link(t("Open the log"), "#log-title"),
      system: () => link(t("Open the system page"), "/system"),
    };
    return ways[action]?.();
  }
}
