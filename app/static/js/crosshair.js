/* What the charts of one page share: the crosshair, the best epoch, and the events on their time axes. */
import { css, small } from "./theme_colours.js";
import { t } from "./i18n.js";

export const group = new Set(); // of plots
const LETTERS = small();
let crosshair = null; // the epoch that the pointer is over, on every chart
let frame = 0;
let marked = []; // [{epoch, kind, text}], by epoch

export const pointed = () => crosshair;

/** Move the crosshair of every chart; null takes it away. */
export function pointTo(epoch) {
  if (epoch === crosshair) return;
  crosshair = epoch;
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    for (const plot of group) plot.pointed();
  });
}

/** Events for the axes of all charts. */
export function setMarks(marks) {
  const wanted = marks.filter(({ epoch }) => epoch > 0).sort((a, b) => a.epoch - b.epoch);
  if (JSON.stringify(wanted) === JSON.stringify(marked)) return;
  marked = wanted;
  for (const plot of group) plot.changed();
}

/** The events within a few pixels of a place. */
export function marksNear(chart, epoch) {
  const { x } = chart.scales;
  const at = x.getPixelForValue(epoch);
  return marked.filter((mark) => mark.epoch === epoch || Math.abs(x.getPixelForValue(mark.epoch) - at) <= 4);
}

/** The Chart.js plugin that draws the events. The best epoch and the crosshair move often: they lie above the canvas, see chart_guides.js. */
export const marks = {
  id: "marks",
  afterDatasetsDraw(chart) {
    const { plot } = chart;
    const { spec: { mark } } = plot;
    if (mark) vertical(chart, mark.x, css("--quiet"), mark.label);
    if (!plot.spec.alone) signs(chart);
    plot.drawn = plot.metrics.length;
    plot.guides.place();
  },
  afterEvent(chart, { event, inChartArea }) {
    const { plot } = chart;
    if (event.type === "mouseout" || !inChartArea) { if (plot.pointer !== null && event.type !== "resize") plot.pointTo(null); return; }
    if (event.type === "mousemove") plot.pointTo(chart.scales.x.getValueForPixel(event.x));
  },
};

/** A dashed line across a chart, with its name above. */
export function vertical({ ctx, chartArea: area, scales }, place, colour, label) {
  if (!place || place < scales.x.min || place > scales.x.max) return;
  const x = Math.round(scales.x.getPixelForValue(place)) + 0.5;
  ctx.save();
  Object.assign(ctx, { strokeStyle: colour, fillStyle: colour, lineWidth: 1 });
  ctx.setLineDash([3, 3]);
  ctx.beginPath();
  ctx.moveTo(x, area.top);
  ctx.lineTo(x, area.bottom);
  ctx.stroke();
  ctx.font = `500 ${LETTERS}px ${css("--font")}`;
  const right = x + ctx.measureText(label).width + 8 > area.right;
  ctx.textAlign = right ? "right" : "left";
  ctx.fillText(label, x + (right ? -5 : 5), area.top - 4);
  ctx.restore();
}

const COLOURS = { advice: "--accent-text", warning: "--cancelled", paused: "--cancelled", error: "--failed" };

/** A triangle on the time axis for each event; filled for what needs attention, open for what is only said. */
function signs(chart) {
  const { ctx, chartArea: area, scales: { x } } = chart;
  let last = -Infinity;
  ctx.save();
  ctx.lineWidth = 1.2;
  for (const { epoch, kind } of marked) {
    const place = x.getPixelForValue(epoch);
    if (epoch < x.min || epoch > x.max || place - last < 3) continue;
    last = place;
    ctx.fillStyle = ctx.strokeStyle = css(COLOURS[kind] || "--control");
    ctx.beginPath();
    ctx.moveTo(place, area.bottom - 7);
    ctx.lineTo(place + 4.5, area.bottom);
    ctx.lineTo(place - 4.5, area.bottom);
    ctx.closePath();
    if (COLOURS[kind]) ctx.fill(); else ctx.stroke();
  }
  ctx.restore();
}
