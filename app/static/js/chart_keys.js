/* A chart by keyboard: arrows move along the curve, with shift they pan; plus and minus zoom, zero resets. */
import { marksNear } from "./crosshair.js";
import { significant, steady } from "./format.js";
import { t } from "./i18n.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 };

/** `along`: where the crosshair can go, {ends: [first, last], unit, says(place)}; null while there is nothing. */
export function pressed(plot, event, along = curve(plot)) {
  if (event.ctrlKey || event.metaKey || event.altKey || !along || !plot.chart) return;
  const act = ACTIONS[event.key] || (event.key in STEPS && walk);
  if (!act) return;
  act(plot, along, event);
  event.preventDefault();
}

/** Along the points of a Plot. */
function curve(plot) {
  const { metrics, spec } = plot;
  if (!metrics.length) return null;
  const [first, second] = [metrics[0], metrics[1] || metrics[0]].map(spec.x);
  return { ends: [first, spec.x(metrics.at(-1))], unit: spec.alone ? second - first : 1, says: () => saysOf(plot) };
}

function saysOf(plot) {
  const { chart, pointer, spec } = plot;
  const metric = plot.at(pointer);
  const values = spec.series.map((series) => steady(metric ? series.value(metric) : null));
  const events = spec.alone ? [] : marksNear(chart, pointer).map(({ text }) => text);
  const where = spec.alone ? `${spec.xTitle} ${significant(pointer)}` : t("epoch {epoch}", { epoch: pointer });
  return [where, plot.say(values), ...events].join(". ");
}

function walk(plot, along, { key, shiftKey }) {
  const by = STEPS[key];
  if (shiftKey) { plot.chart.pan({ x: -50 * Math.sign(by) }, undefined, "none"); return; }
  const { ends: [first, last], unit } = along;
  const from = plot.pointer ?? (by < 0 ? last + unit : first - unit);
  step(plot, along, Math.min(last, Math.max(first, from + by * unit)));
}

function zoom(plot, factor) {
  plot.chart.zoom({ x: factor }, "none");
  plot.zoomed(true);
}

const ACTIONS = {
  Home: (plot, along) => step(plot, along, Math.max(along.ends[0], plot.chart.scales.x.min)),
  End: (plot, along) => step(plot, along, Math.min(along.ends[1], plot.chart.scales.x.max)),
  "+": (plot) => zoom(plot, 1.4),
  "-": (plot) => zoom(plot, 0.7),
  0: (plot) => plot.unzoom(),
  Escape: (plot) => plot.pointTo(null),
};

/** Move the crosshair there, and say what is there. */
function step(plot, along, place) {
  plot.pointTo(place);
  plot.spoken.textContent = along.says(place);
}
