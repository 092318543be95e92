/* The core of all charts of lines. A chart is created once, when it comes to the screen; its datasets are changed in
   place and drawn again without animation. Its legend shows the values under the crosshair, else the latest ones. Plot
   and Overlay say what its lines are and where they come from. */
import { h, setChildren, write } from "../lib/dom.js";
import { locale, t } from "../lib/i18n.js";
import { vertical } from "./crosshair.js";
import "./curve.js";
import { soon, unwatch, watch } from "./drawing.js";
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
    this.chart = null; // Chart.js's, from when it comes to the screen
    this.datasets = [];
    this.keys = [];
    this.bestEpoch = null;
    this.onScreen = false; // drawing.js says when
    this.outgrown = true; // the axes do not fit what is to be drawn
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

  // What a kind of chart says of itself.

  /** The lines, in the order of `datasets`. @returns {Series[]} */
  lines() {
    return [];
  }

  /** Where the crosshair stands when the pointer is at a value of the x axis. @param {number} x
   *  @returns {number | null} */
  snap(x) {
    return x;
  }

  /** The text of each line under the crosshair, else of its latest point. @returns {string[]} */
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

  /** What lies over the lines, on the canvas. @param {any} _chart Chart.js's */
  drawOver(_chart) {}

  // What all have in common.

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

  /** Take it away for good. */
  end() {
    this.crosshair.charts.delete(this);
    document.removeEventListener("theme", this.themed);
    smoothing.removeEventListener("change", this.smoothed);
    unwatch(this);
    this.chart?.destroy();
    this.element.remove();
  }

  /** Chart.js's part: ten milliseconds each when a page begins, so only of those that are seen. */
  make() {
    this.recolour();
    const core = {
      id: "core",
      beforeInit: (chart) => {
        chart.plot = this; // Chart draws before its constructor ends
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

  /** The pointer is at a value of the x axis; null takes the crosshair away. @param {number | null} x */
  pointTo(x) {
    this.crosshair.moveTo(x === null ? null : this.snap(x));
  }

  /** The crosshair has moved. Off the screen, where there may be many charts, it is followed when they come there. */
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

  /** Keys for the lines, with a click that shows or hides each. */
  showKeys(toggle, isHidden, look) {
    this.keys = this.lines().map((line, index) => key(line, isHidden(index), () => toggle(index), look));
    setChildren(
      this.legend,
      this.keys.map(({ element }) => element),
    );
  }

  /** Something is other than drawn. */
  changed() {
    this.outgrown = true;
    this.refresh();
  }

  /** Have it drawn. Off the screen, the texts say what is new nevertheless: screen readers and the page's search find
   *  them there. */
  refresh() {
    if (!this.onScreen) this.showValues();
    soon(this);
  }

  /** What drawing.js calls in its turn. */
  paint() {
    if (!this.chart) this.make();
    else this.redraw();
    this.outgrown = false;
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
