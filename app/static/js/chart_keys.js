/* A chart by keyboard: arrows move along the curve, with shift they pan; plus and minus zoom, zero resets. */
import { marksNear } from "./crosshair.js";
import { significant, steady } from "./format.js";
import { t } from "./i18n.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 };

export function pressed(plot, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !plot.metrics.length || !plot.chart) return;
  const act = ACTIONS[event.key] || (event.key in STEPS && walk);
  if (!act) return;
  act(plot, event);
  event.preventDefault();
}

const ends = (plot) => [plot.metrics[0], plot.metrics.at(-1)].map((metric) => plot.spec.x(metric));
const unit = (plot) => (plot.spec.alone ? plot.spec.x(plot.metrics[1] || plot.metrics[0]) - plot.spec.x(plot.metrics[0]) : 1);

function walk(plot, { key, shiftKey }) {
  const by = STEPS[key];
  if (shiftKey) { plot.chart.pan({ x: -50 * Math.sign(by) }, undefined, "none"); return; }
  const [first, last] = ends(plot);
  const from = plot.pointer ?? (by < 0 ? last + unit(plot) : first - unit(plot));
  step(plot, Math.min(last, Math.max(first, from + by * unit(plot))));
}

function zoom(plot, factor) {
  plot.chart.zoom({ x: factor }, "none");
  plot.zoomed(true);
}

const ACTIONS = {
  Home: (plot) => step(plot, Math.max(ends(plot)[0], plot.chart.scales.x.min)),
  End: (plot) => step(plot, Math.min(ends(plot)[1], plot.chart.scales.x.max)),
  "+": (plot) => zoom(plot, 1.4),
  "-": (plot) => zoom(plot, 0.7),
  0: (plot) => plot.unzoom(),
  Escape: (plot) => plot.pointTo(null),
};

/** Move the crosshair there, and say what is there. */
function step(plot, place) {
  plot.pointTo(place);
  const metric = plot.at(plot.pointer);
  const values = plot.spec.series.map((series) => steady(metric ? series.value(metric) : null));
  const events = plot.spec.alone ? [] : marksNear(plot.chart, plot.pointer).map(({ text }) => text);
  const where = plot.spec.alone ? `${plot.spec.xTitle} ${significant(plot.pointer)}` : t("epoch {epoch}", { epoch: plot.pointer });
  plot.spoken.textContent = [where, plot.say(values), ...events].join(". ");
}
