/* What stands above a chart: the names of its curves, and buttons to reset the zoom, for a logarithmic scale, to save it as a picture or a table. */
import { h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { savePicture, saveTable } from "./saving.js";
import { css } from "./theme_colours.js";

/** The buttons of a Plot, which gets those that it must change as `reset` and `logButton`. */
export function tools(plot) {
  const button = (symbol, label, act) => h("button", { class: "icon-button", type: "button", title: label, "aria-label": symbol ? `${label}: ${plot.spec.title}` : `log (${label}: ${plot.spec.title})`, onclick: act }, symbol ? icon(symbol) : h("span", { class: "icon-text" }, "log"));
  plot.reset = button("zoom-out", t("Reset zoom"), () => plot.unzoom());
  plot.reset.hidden = true;
  plot.logButton = plot.spec.log && button(null, t("Logarithmic scale"), () => {
    plot.chosen.log = !plot.chosen.log;
    plot.keepChosen();
    plot.scaled();
    plot.changed();
  });
  return [
    plot.reset,
    plot.logButton,
    button("image", t("Download as PNG"), () => png(plot)),
    button("filetype-csv", t("Download as CSV"), () => csv(plot)),
  ].filter(Boolean);
}

/** A series' name, with its line and its value; a click shows or hides its curve. */
export function key(plot, { colour, dashed, label }) {
  const line = h("span", { class: `key-line ${dashed ? "is-dashed" : ""}`, style: { color: `var(--series-${colour})` } });
  const value = h("span", { class: "key-value" });
  const element = h("button", { class: "key", type: "button", "aria-pressed": !plot.chosen.hidden.includes(label), onclick: () => {
    const { hidden } = plot.chosen;
    plot.chosen.hidden = hidden.includes(label) ? hidden.filter((item) => item !== label) : [...hidden, label];
    element.setAttribute("aria-pressed", !plot.chosen.hidden.includes(label));
    plot.keepChosen();
    plot.showChosen();
    plot.changed();
  } }, line, h("span", {}, label), value);
  return { element, value };
}

function png({ canvas, chart, chosen, guides, spec }) {
  const series = spec.series.filter(({ label }) => !chosen.hidden.includes(label));
  guides.draw();
  savePicture(canvas, spec.name(), spec.title, series.map(({ label, colour }) => ({ label, colour: css(`--series-${colour}`) })));
  chart.draw();
}

function csv({ metrics, spec }) {
  const rows = metrics.map((metric) => [spec.x(metric), ...spec.series.map((series) => series.value(metric) ?? "")]);
  saveTable(spec.name(), [spec.alone ? spec.xTitle : "epoch", ...spec.series.map(({ label }) => label)], rows);
}
