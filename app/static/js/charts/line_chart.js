/* The base of all line charts. A chart is created once, when it enters the screen; its datasets are changed in place
   and redrawn without animation. Its legend shows the values under the crosshair, otherwise the latest ones. Plot and
   Overlay define its lines and their data. */
import { h, setChildren, write } from "../lib/dom.js";
import { locale, t } from "../lib/i18n.js";
import { vertical } from "./crosshair.js";
import "./curve.js";
import { soon, unwatch, watch, writeSoon } from "./drawing.js";
import { Guides } from "./guides.js";
import { pressed } from "./keys.js";
import { chartOptions } from "./options.js";
import { savePicture, saveTable } from "./save.js";
import { smoothing } from "./smoothing.js";
import { paintLine } from "./line_look.js";
import { css, small } from "./theme_colours.js";
import { button, key } from "./tools.js";

const { Chart } = window;

Chart.defaults.font.family = css("--font");
Chart.defaults.font.size = small();
Chart.defaults.locale = locale;

export class LineChart {
  /**
   * @param {LineSpec & Record<string, any>} spec
   * @param {import("./crosshair.js").Crosshair} crosshair what it shares with other charts
   */
  constructor(spec, crosshair) {
    this.spec = spec;
    this.crosshair = crosshair;
    this.chart = null; // Chart.js's object, from the first time it is on the screen
    this.datasets = [];
    this.keys = [];
    this.bestEpoch = null;
    this.onScreen = false; // set by drawing.js
    this.outgrown = true; // the axes do not fit the data to be drawn
    this.guides = new Guides(this);
    this.baseOptions = chartOptions(spec, () => this.zoomed(true));
    this.themed = () => {
      this.recolour();
      this.changed();
    };
    this.smoothed = () => this.refill();
    this.build();
  }

  build() {
    const { spec } = this;
    this.canvas = h("canvas", {
      role: "img",
      "aria-label": spec.title,
      tabindex: 0,
      onkeydown: (event) => pressed(this, event, this.along()),
      onblur: () => this.onPointerLeave(),
    });
    this.wait = h("div", { class: "chart-wait" }, spec.wait);
    this.note = h("div", { class: "chart-note", hidden: true });
    this.spoken = h("span", { class: "visually-hidden", "aria-live": "polite" });
    this.legend = h("div", { class: `chart-legend ${spec.legend ?? ""}` });
    this.reset = button(this, "zoom-out", t("Reset zoom"), () => this.unzoom());
    this.reset.hidden = true;
    this.tools = h(
      "div",
      { class: "chart-tools" },
      this.reset,
      button(this, "image", t("Download as PNG"), () => this.png()),
      button(this, "filetype-csv", t("Download as CSV"), () => this.csv()),
    );
    this.element = h(
      "article",
      { class: `panel chart ${spec.wide ? "is-wide" : ""} ${spec.full ? "is-full" : ""}`, "data-chart": spec.key },
      h("header", { class: "chart-head" }, h("h2", {}, spec.title), this.tools),
      this.legend,
      h("div", { class: "chart-box" }, this.canvas, this.guides.elements, this.note, this.wait),
      this.spoken,
    );
  }

  // Defined by each kind of chart.

  /** The lines, in the order of `datasets`. @returns {Series[]} */
  lines() {
    return [];
  }

  /** The position of the crosshair when the pointer is at a value of the x axis. @param {number} x
   *  @returns {number | null} */
  snap(x) {
    return x;
  }

  /** The text of each line under the crosshair, otherwise of its latest point. @returns {string[]} */
  values() {
    return [];
  }

  /** @returns {Along | null} */
  along() {
    return null;
  }

  fileName() {
    return "";
  }

  /** The head and the rows of the table. @returns {[string[], any[][]]} */
  table() {
    return [[], []];
  }

  refill() {}

  /** Draw on the canvas over the lines. @param {any} _chart Chart.js's */
  drawOver(_chart) {}

  // Shared by all charts.

  get options() {
    return this.chart ? this.chart.options : this.baseOptions;
  }

  /** Draw it from now on; the element must be in the page. */
  start() {
    this.crosshair.charts.add(this);
    document.addEventListener("theme", this.themed);
    smoothing.addEventListener("change", this.smoothed);
    watch(this);
    return this;
  }

  /** Remove it permanently. */
  end() {
    this.crosshair.charts.delete(this);
    document.removeEventListener("theme", this.themed);
    smoothing.removeEventListener("change", this.smoothed);
    unwatch(this);
    this.chart?.destroy();
    this.element.remove();
  }

  /** Create Chart.js's object: ten milliseconds each when a page loads, so only for visible charts. */
  make() {
    this.recolour();
    const core = {
      id: "core",
      beforeInit: (chart) => {
        chart.plot = this; // Chart.js draws before its constructor returns
      },
      afterDatasetsDraw: (chart) => {
        this.drawOver(chart);
        this.guides.update();
      },
      afterEvent: (chart, { event, inChartArea }) => this.followPointer(chart, event, inChartArea),
    };
    this.chart = new Chart(this.canvas, {
      type: "curve",
      data: { datasets: this.datasets },
      options: this.baseOptions,
      plugins: [core],
    });
    this.guides.update();
  }

  followPointer(chart, event, inside) {
    if (event.type === "mouseout" || !inside) {
      if (this.pointer !== null && event.type !== "resize") this.pointTo(null);
    } else if (event.type === "mousemove") this.pointTo(chart.scales.x.getValueForPixel(event.x));
  }

  get pointer() {
    return this.crosshair.x;
  }

  /** The pointer is at a value of the x axis; null removes the crosshair. @param {number | null} x */
  pointTo(x) {
    this.crosshair.moveTo(x === null ? null : this.snap(x));
  }

  /** The crosshair has moved. Charts off the screen, of which there may be many, follow when they enter it. */
  pointed() {
    if (!this.onScreen) soon(this);
    else if (this.chart) this.followCrosshair();
  }

  followCrosshair() {
    this.guides.updatePointer();
    this.showValues();
  }

  onPointerLeave() {
    if (this.pointer !== null && !this.element.matches(":hover")) this.pointTo(null);
    this.note.hidden = true;
  }

  unzoom() {
    this.chart?.resetZoom("none");
    this.zoomed(false);
  }

  zoomed(is) {
    this.reset.hidden = !is;
  }

  /** Legend keys for the lines; a click shows or hides each line. */
  showKeys(toggle, isHidden, writeLabel) {
    this.keys = this.lines().map((line, index) => key(line, isHidden(index), () => toggle(index), writeLabel));
    setChildren(
      this.legend,
      this.keys.map(({ element }) => element),
    );
  }

  /** The data has changed since the last drawing. */
  changed() {
    this.outgrown = true;
    this.refresh();
  }

  /** Schedule drawing; off the screen, the texts. */
  refresh() {
    if (!this.onScreen) writeSoon(this);
    soon(this);
  }

  /** Called by drawing.js in its turn. */
  paint() {
    if (!this.chart) this.make();
    else this.redraw();
    this.outgrown = false;
    this.guides.updateBest();
    this.followCrosshair();
  }

  redraw() {
    this.chart.update("none");
  }

  showValues() {
    const values = this.values();
    this.keys.forEach(({ value }, index) => write(value, values[index] ?? ""));
    if (this.pointer === null) this.canvas.setAttribute("aria-label", this.description(values));
  }

  /** @param {string[]} values */
  description(values) {
    const keys = t("Arrow keys move along the curve, plus and minus zoom, zero resets the zoom.");
    return `${this.spec.title}. ${this.listValues(values)} ${keys}`;
  }

  /** @param {string[]} values */
  listValues(values) {
    return this.lines()
      .map(({ label }, index) => `${label}: ${values[index]}`)
      .join(", ");
  }

  recolour() {
    for (const scale of Object.values(this.options.scales)) {
      scale.ticks.color = css("--quiet");
      if (scale.title) scale.title.color = css("--quiet");
      if (scale.grid?.display !== false) scale.grid = { color: css("--line"), tickLength: 0 };
    }
    this.colourLines();
  }

  colourLines() {
    this.lines().forEach(({ colour, faint }, index) => paintLine(this.datasets[index], colour, faint ? 45 : 100));
  }

  png() {
    const visible = this.lines().filter((_line, index) => this.chart.isDatasetVisible(index));
    if (this.bestEpoch) vertical(this.chart, this.bestEpoch, t("best: {epoch}", { epoch: this.bestEpoch }));
    const keys = visible.map(({ label, colour }) => ({ label: label.slice(0, 24), colour: css(colour) }));
    savePicture(this.canvas, this.fileName(), this.spec.title, keys);
    this.chart.draw();
  }

  csv() {
    saveTable(this.fileName(), ...this.table());
  }
}

/** Put charts into a grid and draw them. */
export function mount(container, charts) {
  setChildren(
    container,
    charts.map((chart) => chart.element),
  );
  return charts.map((chart) => chart.start());
}
