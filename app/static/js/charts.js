/* One chart style. A chart is created once; its data is mutated and drawn again without animation.
   Charts of one page share a crosshair; the legend shows the values under it, else the latest ones. */
import { $, h, icon, put } from "./dom.js";
import { significant } from "./format.js";
import { locale, t } from "./i18n.js";

const Chart = window.Chart;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

Chart.defaults.font.family = css("--font");
Chart.defaults.font.size = 11;
Chart.defaults.locale = locale;

const group = new Set();
let crosshair = null; // the epoch that the pointer is over, on every chart
let frame = 0;

function pointTo(epoch) {
  if (epoch === crosshair) return;
  crosshair = epoch;
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    for (const plot of group) plot.pointed();
  });
}

const marks = {
  id: "marks",
  afterDatasetsDraw(chart, _arguments, options) {
    vertical(chart, options.best, css("--quiet"), [3, 3], options.best && t("best: {epoch}", { epoch: options.best }));
    vertical(chart, crosshair, css("--control"), []);
  },
  afterEvent(chart, { event, inChartArea }) {
    if (event.type === "mouseout" || !inChartArea) { if (crosshair !== null && event.type !== "resize") pointTo(null); return; }
    if (event.type === "mousemove") pointTo(Math.max(1, Math.round(chart.scales.x.getValueForPixel(event.x))));
  },
};

function vertical(chart, epoch, colour, dash, label) {
  const { ctx, chartArea: area, scales } = chart;
  if (!epoch || epoch < scales.x.min || epoch > scales.x.max) return;
  const x = Math.round(scales.x.getPixelForValue(epoch)) + 0.5;
  ctx.save();
  Object.assign(ctx, { strokeStyle: colour, fillStyle: colour, lineWidth: 1 });
  ctx.setLineDash(dash);
  ctx.beginPath();
  ctx.moveTo(x, area.top);
  ctx.lineTo(x, area.bottom);
  ctx.stroke();
  if (label) {
    const right = x + ctx.measureText(label).width + 8 > area.right;
    ctx.font = `500 11px ${css("--font")}`;
    ctx.textAlign = right ? "right" : "left";
    ctx.fillText(label, x + (right ? -5 : 5), area.top - 4);
  }
  ctx.restore();
}

function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** A chart of series over epochs.
 *  spec: {title, name (of downloads), wide, full (the whole row), min, max, wait (text while it is empty), x(metric), xMin, dots (false: never),
 *  series: [{label, value(metric), colour 1..6, dashed}]} */
export class Plot {
  constructor(spec) {
    this.spec = { x: (metric) => metric.epoch, xMin: 1, wait: t("The first point appears after the first epoch."), ...spec };
    this.metrics = [];
    this.canvas = h("canvas", { role: "img" });
    this.wait = h("div", { class: "chart-wait" }, this.spec.wait);
    this.keys = spec.series.map((series, index) => this.key(series, index));
    this.element = h("article", { class: `panel chart ${spec.wide ? "is-wide" : ""} ${spec.full ? "is-full" : ""}` },
      h("header", { class: "chart-head" }, h("h2", {}, spec.title), h("div", { class: "chart-tools" }, this.tools())),
      h("div", { class: "chart-legend" }, this.keys.map((item) => item.element)),
      h("div", { class: "chart-box" }, this.canvas, this.wait));
  }

  /** Draw it; the element must be in the page. */
  start() {
    // A single point is no line. A function, because Chart.js may go on sharing a number that was changed.
    const pointRadius = this.spec.dots === false ? 0 : () => (this.metrics.length < 3 ? 3 : 0);
    this.chart = new Chart(this.canvas, {
      type: "line",
      data: { datasets: this.spec.series.map((series) => ({ data: [], label: series.label, borderDash: series.dashed ? [4, 3] : [], borderWidth: 1.6, pointRadius, pointHitRadius: 0, tension: 0, spanGaps: true })) },
      options: this.options(),
      plugins: [marks],
    });
    this.recolour();
    group.add(this);
    this.themed = () => { this.recolour(); this.chart.update("none"); };
    document.addEventListener("theme", this.themed);
    return this;
  }

  /** Take it away for good. */
  end() {
    group.delete(this);
    document.removeEventListener("theme", this.themed);
    this.chart.destroy();
    this.element.remove();
  }

  options() {
    const { min, max, xMin } = this.spec;
    const tick = { maxRotation: 0, autoSkipPadding: 16, padding: 4 };
    return {
      animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false,
      layout: { padding: { top: 16, right: 6 } },
      events: ["mousemove", "mouseout", "touchstart", "touchmove"],
      scales: {
        x: { type: "linear", min: xMin, grid: { display: false }, ticks: { ...tick, precision: xMin === undefined ? undefined : 0 }, border: { display: false } },
        y: { min, suggestedMax: max, ticks: { ...tick, maxTicksLimit: 6, callback: (value) => significant(value) }, border: { display: false } },
      },
      plugins: {
        legend: { display: false }, tooltip: { enabled: false },
        zoom: {
          pan: { enabled: true, mode: "x", modifierKey: "shift" },
          zoom: { mode: "x", wheel: { enabled: true, modifierKey: "ctrl" }, pinch: { enabled: true }, drag: { enabled: true, threshold: 8, backgroundColor: "rgba(120, 110, 220, 0.18)" }, onZoom: () => this.zoomed(true) },
          limits: { x: { minRange: xMin === undefined ? 0.05 : 2 } },
        },
      },
    };
  }

  tools() {
    const button = (symbol, label, act) => h("button", { class: "icon-button", type: "button", title: label, "aria-label": `${label}: ${this.spec.title}`, onclick: act }, icon(symbol));
    this.reset = button("zoom-out", t("Reset zoom"), () => { this.chart.resetZoom("none"); this.zoomed(false); });
    this.reset.hidden = true;
    return [
      this.reset,
      button("image", t("Download as PNG"), () => this.png()),
      button("filetype-csv", t("Download as CSV"), () => this.csv()),
    ];
  }

  zoomed(is) {
    this.reset.hidden = !is;
  }

  key(series, index) {
    const line = h("span", { class: `key-line ${series.dashed ? "is-dashed" : ""}`, style: { color: `var(--series-${series.colour})` } });
    const value = h("span", { class: "key-value" });
    const element = h("button", { class: "key", type: "button", "aria-pressed": "true", onclick: () => {
      const shown = !this.chart.isDatasetVisible(index);
      this.chart.setDatasetVisibility(index, shown);
      element.setAttribute("aria-pressed", shown);
      this.chart.update("none");
    } }, line, h("span", {}, series.label), value);
    return { element, value };
  }

  /** Replace everything: metrics by epoch. */
  set(metrics) {
    this.metrics = [...metrics];
    this.spec.series.forEach((series, index) => {
      this.chart.data.datasets[index].data = this.metrics.map((metric) => ({ x: this.spec.x(metric), y: series.value(metric) ?? null }));
    });
    this.draw();
  }

  /** Add one epoch. */
  push(metric) {
    this.metrics.push(metric);
    this.spec.series.forEach((series, index) => this.chart.data.datasets[index].data.push({ x: this.spec.x(metric), y: series.value(metric) ?? null }));
    this.draw();
  }

  best(epoch) {
    this.chart.options.plugins.marks = { best: epoch };
  }

  draw() {
    this.wait.hidden = this.metrics.length > 0;
    this.chart.update("none");
    this.legend();
  }

  pointed() {
    this.chart.draw();
    this.legend();
  }

  legend() {
    const at = crosshair !== null && this.metrics.find((metric) => this.spec.x(metric) === crosshair);
    const metric = at || this.metrics.at(-1);
    const values = this.spec.series.map((series) => (metric ? significant(series.value(metric)) : ""));
    this.keys.forEach((key, index) => { key.value.textContent = values[index]; });
    const spoken = this.spec.series.map((series, index) => `${series.label}: ${values[index]}`).join(", ");
    if (!at) this.canvas.setAttribute("aria-label", `${this.spec.title}. ${spoken}`);
  }

  recolour() {
    const colour = { grid: css("--line"), text: css("--quiet") };
    for (const scale of Object.values(this.chart.options.scales)) {
      scale.ticks.color = colour.text;
      if (scale.grid?.display !== false) scale.grid = { color: colour.grid, tickLength: 0 };
    }
    this.chart.data.datasets.forEach((dataset, index) => {
      const line = css(`--series-${this.spec.series[index].colour}`);
      Object.assign(dataset, { borderColor: line, backgroundColor: line });
    });
  }

  png() {
    const { canvas } = this;
    const copy = h("canvas", { width: canvas.width, height: canvas.height });
    const context = copy.getContext("2d");
    context.fillStyle = css("--surface");
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(canvas, 0, 0);
    copy.toBlob((blob) => save(blob, `${this.spec.name()}.png`));
  }

  csv() {
    const rows = this.metrics.map((metric) => [this.spec.x(metric), ...this.spec.series.map((series) => series.value(metric) ?? "")]);
    const head = ["epoch", ...this.spec.series.map((series) => `"${series.label.replaceAll('"', '""')}"`)];
    save(new Blob([[head, ...rows].map((row) => row.join(",")).join("\n"), "\n"], { type: "text/csv" }), `${this.spec.name()}.csv`);
  }
}

/** A small curve without axes. */
export class Mini {
  constructor(value) {
    this.value = value;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.element = h("div", { class: "live-curve" }, this.canvas, h("div", { class: "chart-wait" }, t("The first point appears after the first epoch.")));
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

/** Put plots into a grid and draw them. */
export function mount(place, plots) {
  put(place, plots.map((plot) => plot.element));
  return plots.map((plot) => plot.start());
}
