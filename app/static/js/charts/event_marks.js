/* The events of a training on the time axis of its charts: triangles, filled for those that need attention, open for
   information. */
import { Crosshair } from "./crosshair.js";
import { css } from "./theme_colours.js";

const COLOURS = { advice: "--accent-text", warning: "--cancelled", paused: "--cancelled", error: "--failed" };
const NEAR = 4; // pixels

/** The crosshair of the charts over epochs. */
export const epochs = new Crosshair();
let events = []; // [{epoch, kind, text}], by epoch

/** Events for the axes of all charts over epochs. */
export function setMarks(marks) {
  const sorted = marks.filter(({ epoch }) => epoch > 0).sort((a, b) => a.epoch - b.epoch);
  if (JSON.stringify(sorted) === JSON.stringify(events)) return;
  events = sorted;
  for (const chart of epochs.charts) chart.changed();
}

/** The events within a few pixels of an epoch. */
export function marksNear(chart, epoch) {
  const { x } = chart.scales;
  const at = x.getPixelForValue(epoch);
  return events.filter((mark) => mark.epoch === epoch || Math.abs(x.getPixelForValue(mark.epoch) - at) <= NEAR);
}

export function drawMarks({ ctx, chartArea: area, scales: { x } }) {
  let last = -Infinity;
  ctx.save();
  ctx.lineWidth = 1.2;
  for (const { epoch, kind } of events) {
    const pixel = x.getPixelForValue(epoch);
    if (epoch < x.min || epoch > x.max || pixel - last < 3) continue;
    last = pixel;
    ctx.fillStyle = ctx.strokeStyle = css(COLOURS[kind] || "--control");
    ctx.beginPath();
    ctx.moveTo(pixel, area.bottom - 7);
    ctx.lineTo(pixel + 4.5, area.bottom);
    ctx.lineTo(pixel - 4.5, area.bottom);
    ctx.closePath();
    if (COLOURS[kind]) ctx.fill();
    else ctx.stroke();
  }
  ctx.restore();
}
