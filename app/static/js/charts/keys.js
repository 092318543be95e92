/* A chart by keyboard: arrows move along the curve, with shift they pan; plus and minus zoom, zero resets. */
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 };

/**
 * @param {import("./line_chart.js").LineChart} plot
 * @param {KeyboardEvent} event
 * @param {Along | null} along where the crosshair can go; null while there is nothing
 */
export function pressed(plot, event, along) {
  if (event.ctrlKey || event.metaKey || event.altKey || !along || !plot.chart) return;
  const act = ACTIONS[event.key] || (event.key in STEPS && walk);
  if (!act) return;
  act(plot, along, event);
  event.preventDefault();
}

function walk(plot, along, { key, shiftKey }) {
  const by = STEPS[key];
  if (shiftKey) {
    plot.chart.pan({ x: -50 * Math.sign(by) }, undefined, "none");
    return;
  }
  const {
    ends: [first, last],
    unit,
  } = along;
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

/** Move the crosshair there, and announce the values. */
function step(plot, along, x) {
  plot.pointTo(x);
  plot.spoken.textContent = along.describe(x);
}
