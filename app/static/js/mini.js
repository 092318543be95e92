/* A small curve without axes, of one figure over the epochs. */
import { $, h } from "./dom.js";
import { t } from "./i18n.js";
import { css } from "./theme_colours.js";

const Chart = window.Chart;

export class Mini {
  constructor(value) {
    this.value = value;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.element = h("div", { class: "live-curve" }, this.canvas, h("div", { class: "chart-wait" }, t("The first value appears after the first epoch.")));
  }

  start(epochs) {
    this.chart = new Chart(this.canvas, {
      type: "line",
      data: { datasets: [{ data: [], borderWidth: 1.8, fill: true }] },
      options: {
        animation: false, parsing: false, responsive: true, maintainAspectRatio: false, events: [],
        elements: { point: { radius: 0 } }, layout: { padding: 2 },
        scales: { x: { type: "linear", display: false, min: 1, max: Math.max(2, epochs) }, y: { display: false, min: 0, suggestedMax: 1 } },
        plugins: { legend: { display: false }, tooltip: { enabled: false } },
      },
    });
    this.recolour();
    document.addEventListener("theme", () => { this.recolour(); this.chart.update("none"); });
    return this;
  }

  recolour() {
    const line = css("--series-1");
    Object.assign(this.chart.data.datasets[0], { borderColor: line, backgroundColor: `color-mix(in srgb, ${line} 12%, transparent)` });
  }

  set(metrics) {
    const data = metrics.map((metric) => ({ x: metric.epoch, y: this.value(metric) }));
    this.chart.data.datasets[0].data = data;
    this.chart.options.elements.point.radius = data.length === 1 ? 3 : 0;
    $(".chart-wait", this.element).hidden = data.length > 0;
    this.chart.update("none");
  }
}
