/* A bar chart in the platform's style: a legend that shows and hides series, values under the pointer, PNG and CSV.
   Created once for each revision. */
import { h, icon } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { locale, t } from "../lib/i18n.js";
import { savePicture, saveTable } from "../charts/save.js";
import { css } from "../charts/theme_colours.js";

const Chart = window.Chart;

Chart.defaults.font.family = css("--font");
Chart.defaults.font.size = 11;
Chart.defaults.locale = locale;

/** spec: {title, note, name (of downloads), labels, series: [{label, values, colour 1..6}], stacked, flat (horizontal
 *  bars), height (px), first (heading of the CSV's first column), share (true: also show the share of the whole)} */
export class Bars {
  constructor(spec) {
    this.spec = spec;
    this.canvas = h("canvas", { role: "img", "aria-label": this.spoken() });
    this.element = h(
      "article",
      { class: "panel chart statistic" },
      h("header", { class: "chart-head" }, h("h2", {}, spec.title), h("div", { class: "chart-tools" }, this.tools())),
      spec.series.length > 1
        ? h(
            "div",
            { class: "chart-legend" },
            spec.series.map((series, index) => this.key(series, index)),
          )
        : spec.note && h("p", { class: "statistic-note" }, spec.note),
      h(
        "div",
        { class: "statistic-scroll" },
        h("div", { class: "statistic-box", style: spec.height ? { height: `${spec.height}px` } : {} }, this.canvas),
      ),
    );
  }

  /** Draw it; the element must be in the page. */
  start() {
    const { labels, series, stacked, flat } = this.spec;
    this.chart = new Chart(this.canvas, {
      type: "bar",
      data: {
        labels,
        datasets: series.map((item) => ({
          label: item.label,
          data: item.values,
          // a function, since Chart.js caches values as shared
          backgroundColor: () => css(`--series-${item.colour}`),
          maxBarThickness: 34,
          categoryPercentage: 0.86,
          barPercentage: 0.92,
          borderRadius: 2,
        })),
      },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        indexAxis: flat ? "y" : "x",
        interaction: { mode: "index", intersect: false, axis: flat ? "y" : "x" },
        scales: { [flat ? "x" : "y"]: this.values(stacked), [flat ? "y" : "x"]: this.names(stacked, flat) },
        plugins: {
          legend: { display: false },
          zoom: { zoom: {}, pan: {} },
          tooltip: {
            displayColors: series.length > 1,
            callbacks: { label: (item) => this.tooltip(item), title: ([item]) => this.spec.labels[item.dataIndex] },
          },
        },
      },
    });
    this.themed = () => {
      this.recolour();
      this.chart.update("none");
    };
    this.themed();
    document.addEventListener("theme", this.themed);
    return this;
  }

  end() {
    document.removeEventListener("theme", this.themed);
    this.chart?.destroy();
    this.element.remove();
  }

  values(stacked) {
    return {
      stacked,
      beginAtZero: true,
      border: { display: false },
      ticks: { maxTicksLimit: 6, precision: 0, maxRotation: 0, callback: (value) => number(value) },
    };
  }

  names(stacked, flat) {
    const short = (value) => {
      const text = String(this.spec.labels[value]);
      return text.length > 18 ? `${text.slice(0, 17)}…` : text;
    };
    return {
      stacked,
      grid: { display: false },
      border: { display: false },
      ticks: { autoSkip: !flat, autoSkipPadding: 6, maxRotation: 0, callback: short },
    };
  }

  tooltip({ dataset, raw, datasetIndex }) {
    const total = this.spec.series[datasetIndex].values.reduce((sum, value) => sum + value, 0);
    const share = this.spec.share && total ? ` (${percent(raw / total, 1)})` : "";
    return `${this.spec.series.length > 1 ? `${dataset.label}: ` : ""}${number(raw)}${share}`;
  }

  spoken() {
    const { title, labels, series } = this.spec;
    const parts = series.map(
      (item) =>
        `${item.label}: ${labels
          .slice(0, 12)
          .map((label, index) => `${label} ${number(item.values[index])}`)
          .join(", ")}`,
    );
    return `${title}. ${parts.join("; ")}${labels.length > 12 ? " …" : ""}`;
  }

  key(series, index) {
    const element = h(
      "button",
      {
        class: "key",
        type: "button",
        "aria-pressed": "true",
        onclick: () => {
          const visible = !this.chart.isDatasetVisible(index);
          this.chart.setDatasetVisibility(index, visible);
          element.setAttribute("aria-pressed", visible);
          this.chart.update("none");
        },
      },
      h("span", { class: "key-square", style: { background: `var(--series-${series.colour})` } }),
      h("span", {}, series.label),
      h("span", { class: "key-value" }, number(series.values.reduce((sum, value) => sum + value, 0))),
    );
    return element;
  }

  tools() {
    const { title, name, series } = this.spec;
    const keys = () =>
      series.length > 1 ? series.map((item) => ({ label: item.label, colour: css(`--series-${item.colour}`) })) : [];
    return chartTools(
      title,
      () => savePicture(this.canvas, name, title, keys()),
      () => this.csv(),
    );
  }

  recolour() {
    for (const scale of Object.values(this.chart.options.scales)) {
      scale.ticks.color = css("--quiet");
      if (scale.grid?.display !== false) scale.grid = { color: css("--line"), tickLength: 0 };
    }
  }

  csv() {
    const { labels, series, first } = this.spec;
    saveTable(
      this.spec.name,
      [first || "", ...series.map((item) => item.split || item.label)],
      labels.map((label, index) => [label, ...series.map((item) => item.values[index])]),
    );
  }
}

/** The two buttons of every chart. */
export function chartTools(title, png, csv) {
  const tool = (symbol, label, act) =>
    h(
      "button",
      { class: "icon-button", type: "button", title: label, "aria-label": `${label}: ${title}`, onclick: act },
      icon(symbol),
    );
  return [tool("image", t("Download as PNG"), png), tool("filetype-csv", t("Download as CSV"), csv)];
}
