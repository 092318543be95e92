/* A running training as a card of the dashboard: its curve, its latest values, its progress. */
import { get } from "../lib/api.js";
import { SmallCurve } from "../charts/small_curve.js";
import { h, setChildren } from "../lib/dom.js";
import { fixed, number, percent, remaining } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { bar, epochText, fraction, moveBar, stageText, trainingBadge } from "../ui/status.js";

const MAP50 = { label: () => "mAP50", value: ({ map50 }) => map50 };
const ACCURACY = { label: () => t("Top-1 accuracy"), value: ({ parts }) => parts?.["metrics/accuracy_top1"] };

export class LiveCard {
  constructor(training) {
    this.curve = new SmallCurve({ filled: true });
    this.wait = h("div", { class: "chart-wait" }, t("The first value appears after the first epoch."));
    this.epochs = 1;
    this.measure = training.task === "classify" ? ACCURACY : MAP50;
    this.metrics = [];
    this.bar = bar(0);
    this.state = h("span");
    this.figures = h("div", { class: "live-row" });
    this.values = h("div", { class: "live-row" });
    this.element = h(
      "a",
      { class: "panel live-card", href: `/trainings/${training.id}` },
      h(
        "div",
        { class: "live-head" },
        h("span", { class: "live-name", title: training.name }, training.name),
        this.state,
      ),
      h("div", { class: "live-curve" }, this.curve.element, this.wait),
      this.values,
      this.bar,
      this.figures,
    );
  }

  async start(training) {
    this.show(training);
    try {
      this.set((await get(`/api/trainings/${training.id}/metrics`)).epochs);
    } catch {
      this.set([]);
    }
  }

  set(metrics) {
    this.metrics = metrics;
    this.wait.hidden = metrics.length > 0;
    this.draw();
    const last = metrics.at(-1);
    setChildren(
      this.values,
      last
        ? [
            h("span", {}, t("epoch {epoch}", { epoch: number(last.epoch) })),
            h("span", {}, this.measure.label(), " ", h("strong", {}, fixed(this.measure.value(last)))),
            h("span", {}, t("loss"), " ", h("strong", {}, fixed(last.loss))),
          ]
        : h("span", {}, this.measure.label()),
    );
  }

  draw() {
    const points = this.metrics.map((metric) => ({ x: metric.epoch, y: this.measure.value(metric) ?? null }));
    this.curve.set(points, { x: [1, Math.max(2, this.epochs)], y: [0, 1] });
  }

  add(metric) {
    this.set([...this.metrics.filter((item) => item.epoch < metric.epoch), metric]);
  }

  show(training) {
    const epochs = training.total_epochs || training.epochs;
    if (epochs !== this.epochs) {
      this.epochs = epochs;
      this.draw();
    }
    setChildren(this.state, trainingBadge(training));
    moveBar(this.bar, fraction(training));
    const begun = training.current_epoch > 0 || training.progress?.epoch > 0;
    setChildren(
      this.figures,
      h("span", {}, (!begun && stageText(training)) || epochText(training)),
      h("span", {}, `${percent(fraction(training))} · ${remaining(training.eta)}`),
    );
  }
}
