/* The buttons above a chart: reset the zoom, logarithmic scale, save as a picture or as a table. */
import { h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { savePicture, saveTable } from "./saving.js";
import { css } from "./theme_colours.js";

/** The buttons of a Plot, which gets those that it must change as `reset` and `logButton`. */
export function tools(plot) {
  const button = (symbol, label, act) => h("button", { class: "icon-button", type: "button", title: label, "aria-label": `${label}: ${plot.spec.title}`, onclick: act }, symbol ? icon(symbol) : h("span", { class: "icon-text" }, "log"));
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

function png({ canvas, chosen, spec }) {
  const series = spec.series.filter(({ label }) => !chosen.hidden.includes(label));
  savePicture(canvas, spec.name(), spec.title, series.map(({ label, colour }) => ({ label, colour: css(`--series-${colour}`) })));
}

function csv({ metrics, spec }) {
  const rows = metrics.map((metric) => [spec.x(metric), ...spec.series.map((series) => series.value(metric) ?? "")]);
  saveTable(spec.name(), [spec.alone ? spec.xTitle : "epoch", ...spec.series.map(({ label }) => label)], rows);
}
