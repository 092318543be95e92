/* Charts that lay one metric of several trainings over each other, by epoch or by time. One style with the charts of a
   training; a crosshair that all of them share; the legend has the values under it, else the last ones. */
import { Guides } from "./chart_guides.js";
import { pressed } from "./chart_keys.js";
import "./curve.js";
import { h, icon, longName, write } from "./dom.js";
import { soon, unwatch, watch } from "./drawing.js";
import { duration, number, significant, steady } from "./format.js";
import { locale, t } from "./i18n.js";
import { savePicture, saveTable } from "./saving.js";
import { Average, smoothing } from "./smoothing.js";
import { css } from "./theme_colours.js";

const Chart = window.Chart;
Chart.defaults.font.family = css("--font");
Chart.defaults.font.size = 11;
Chart.defaults.locale = locale;

const group = new Set();
let pointer = null; // epoch or seconds, on every chart
let frame = 0;

// Each run has a colour and, from the seventh on, a dash, too: six colours can be told apart, ten cannot.
const DASHES = [[], [5, 3]];
export const colourOf = (place) => `--series-${(place % 6) + 1}`;
export const isDashed = (place) => place >= 6;

function pointTo(x) {
  if (x === pointer) return;
  pointer = x;
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    for (const overlay of group) overlay.pointed();
  });
}

/** The Chart.js plugin that follows the pointer. The crosshair lies above the canvas, see chart_guides.js. */
const following = {
  id: "following",
  afterDraw({ overlay }) { overlay?.guides.place(); },
  afterEvent({ overlay, scales: { x } }, { event, inChartArea }) {
    if (event.type === "mouseout" || !inChartArea) { if (pointer !== null && event.type !== "resize") pointTo(null); return; }
    if (event.type === "mousemove") overlay.pointTo(x.getValueForPixel(event.x));
  },
};

/** spec: {key (the metric), title, min, max}. `runs`: [{id, name, place, curves}]; axis: "epoch" or "time". */
export class Overlay {
  constructor(spec, axis) {
    Object.assign(this, { spec, axis, runs: [], hidden: new Set() });
    this.guides = new Guides(this);
    this.canvas = h("canvas", { role: "img", "aria-label": spec.title, tabindex: 0, onkeydown: (event) => pressed(this, event, this.along()), onblur: () => this.left() });
    this.spoken = h("span", { class: "visually-hidden", "aria-live": "polite" });
    this.wait = h("div", { class: "chart-wait" }, t("No values yet."));
    this.legend = h("div", { class: "chart-legend is-runs" });
    this.element = h("article", { class: "panel chart" },
      h("header", { class: "chart-head" }, h("h2", {}, spec.title), h("div", { class: "chart-tools" }, this.tools())),
      this.legend, h("div", { class: "chart-box" }, this.canvas, this.guides.elements, this.wait), this.spoken);
  }

  tools() {
    const button = (symbol, label, act) => h("button", { class: "icon-button", type: "button", title: label, "aria-label": `${label}: ${this.spec.title}`, onclick: act }, icon(symbol));
    this.reset = button("zoom-out", t("Reset zoom"), () => this.unzoom());
    this.reset.hidden = true;
    return [this.reset, button("image", t("Download as PNG"), () => this.png()), button("filetype-csv", t("Download as CSV"), () => this.csv())];
  }

  /** Draw it; the element must be in the page. */
  start() {
    this.chart = new Chart(this.canvas, { type: "curve", data: { datasets: [] }, options: this.options(), plugins: [following] });
    this.chart.overlay = this;
    group.add(this);
    this.themed = () => this.recolour();
    document.addEventListener("theme", this.themed);
    this.smoothed = () => this.fill();
    smoothing.addEventListener("change", this.smoothed);
    watch(this);
    return this;
  }

  end() {
    group.delete(this);
    unwatch(this);
    document.removeEventListener("theme", this.themed);
    smoothing.removeEventListener("change", this.smoothed);
    this.chart.destroy();
    this.element.remove();
  }

  options() {
    const tick = { maxRotation: 0, autoSkipPadding: 16, padding: 4 };
    return {
      animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false,
      layout: { padding: { top: 8, right: 6 } },
      events: ["mousemove", "mouseout", "touchstart", "touchmove"],
      scales: {
        x: { type: "linear", grid: { display: false }, border: { display: false }, ticks: { ...tick, callback: (value) => (this.axis === "time" ? duration(value) : Number.isInteger(value) ? number(value) : null) } },
        y: { min: this.spec.min, suggestedMax: this.spec.max, border: { display: false }, ticks: { ...tick, maxTicksLimit: 6, callback: (value) => significant(value) } },
      },
      plugins: {
        legend: false, tooltip: false,
        zoom: {
          pan: { enabled: true, mode: "x", modifierKey: "shift" },
          zoom: { mode: "x", wheel: { enabled: true, modifierKey: "ctrl" }, pinch: { enabled: true }, drag: { enabled: true, threshold: 8, backgroundColor: "rgba(120, 110, 220, 0.18)" }, onZoom: () => this.zoomed(true) },
        },
      },
    };
  }

  unzoom() {
    this.chart.resetZoom?.("none");
    this.zoomed(false);
  }

  zoomed(is) {
    this.reset.hidden = !is;
  }

  show(runs, axis) {
    if (axis !== this.axis) pointTo(null); // a place on the other axis
    Object.assign(this, { runs, axis });
    this.fill();
  }

  /** Points of one run, smoothed as the reader wants it. */
  points({ curves }) {
    const average = new Average(smoothing.weight);
    const values = curves[this.spec.key];
    return curves[this.axis].map((x, index) => ({ x, y: smoothing.weight ? average.next(values[index]) : values[index] })).filter(({ y }) => y !== null && y !== undefined);
  }

  fill() {
    if (!this.chart) return;
    const { scales } = this.chart.options;
    scales.x.min = this.axis === "epoch" ? 1 : 0;
    this.unzoom();
    this.chart.data.datasets = this.runs.map((run) => {
      const data = this.points(run);
      return { data, label: run.name, hidden: this.hidden.has(run.id), borderDash: DASHES[Number(isDashed(run.place))], borderWidth: 1.6, dots: true };
    });
    this.keys = this.runs.map((run, index) => this.key(run, index));
    this.legend.replaceChildren(...this.keys.map(({ element }) => element));
    this.wait.hidden = this.chart.data.datasets.some(({ data }) => data.length);
    this.recolour();
  }

  key(run, index) {
    const value = h("span", { class: "key-value" });
    const element = h("button", { class: "key", type: "button", "aria-pressed": !this.hidden.has(run.id), title: run.name, onclick: () => {
      const shown = this.hidden.delete(run.id) || !this.hidden.add(run.id);
      this.chart.setDatasetVisibility(index, shown);
      element.setAttribute("aria-pressed", shown);
      soon(this);
    } }, h("span", { class: `key-line ${isDashed(run.place) ? "is-dashed" : ""}`, style: { color: `var(${colourOf(run.place)})` } }), h("span", { class: "key-name" }, longName(run.name)), value);
    return { element, value };
  }

  recolour() {
    const { scales } = this.chart.options;
    for (const scale of Object.values(scales)) {
      scale.ticks.color = css("--quiet");
      if (scale.grid?.display !== false) scale.grid = { color: css("--line"), tickLength: 0 };
    }
    this.chart.data.datasets.forEach((dataset, index) => {
      dataset.borderColor = dataset.backgroundColor = css(colourOf(this.runs[index].place));
    });
    soon(this);
  }

  /** What drawing.js calls in its turn. */
  paint() {
    this.chart.update("none");
    this.tell();
  }

  get pointer() {
    return pointer;
  }

  /** The pointer is at a place of the axis, which may be between two epochs; null takes the crosshair away. */
  pointTo(place) {
    pointTo(place === null || this.axis === "time" ? place : Math.max(1, Math.round(place)));
  }

  pointed() {
    if (this.onScreen) this.guides.placePointer();
    this.tell();
  }

  left() {
    if (pointer !== null && !this.element.matches(":hover")) pointTo(null);
  }

  /** Where the keys lead, see chart_keys.js. */
  along() {
    const ends = this.chart.data.datasets.flatMap(({ data }) => (data.length ? [data[0].x, data.at(-1).x] : []));
    if (!ends.length) return null;
    const [first, last] = [Math.min(...ends), Math.max(...ends)];
    const where = (place) => (this.axis === "time" ? duration(place) : t("epoch {epoch}", { epoch: place }));
    return { ends: [first, last], unit: this.axis === "time" ? (last - first) / 100 : 1, says: (place) => `${where(place)}. ${this.say(this.values())}` };
  }

  /** Under the crosshair: of the last epoch that had ended there. */
  values() {
    return this.chart.data.datasets.map(({ data }) => {
      const at = pointer === null ? data.at(-1) : before(data, pointer);
      return at ? steady(at.y) : "";
    });
  }

  say(values) {
    return this.runs.map((run, index) => `${run.name}: ${values[index]}`).join(", ");
  }

  tell() {
    const values = this.values();
    this.keys?.forEach((key, index) => write(key.value, values[index]));
    if (pointer === null) this.canvas.setAttribute("aria-label", `${this.spec.title}. ${this.say(values)} ${t("Arrow keys move along the curve, plus and minus zoom, zero resets the zoom.")}`);
  }

  file() {
    return `compare-${this.runs.map(({ id }) => id).join("-")}-${this.spec.key}`;
  }

  png() {
    savePicture(this.canvas, this.file(), this.spec.title, this.runs.map((run) => ({ label: run.name.slice(0, 24), colour: css(colourOf(run.place)), dashed: isDashed(run.place) })));
  }

  /** The values themselves, not smoothed: a row each. */
  csv() {
    const rows = this.runs.flatMap(({ id, name, curves }) => curves.epoch.map((epoch, index) => [id, name, epoch, curves.time[index], curves[this.spec.key][index]]));
    saveTable(this.file(), ["training", "name", "epoch", "seconds", this.spec.key], rows);
  }
}

function before(data, x) {
  let [low, high] = [0, data.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (data[middle].x <= x) low = middle + 1; else high = middle;
  }
  return data[low - 1];
}
