/* Chart.js's options for a line chart: no animation, no parsing, thin scales; zoom by dragging, pan with shift. */
import { significant } from "../lib/format.js";

const TICK = { maxRotation: 0, autoSkipPadding: 16, padding: 4 };

/** `zoomed()` is called when the reader zooms. @param {LineSpec} spec @param {() => void} zoomed */
export function chartOptions({ min, max, xMin, xMax, xTitle, xTick, top = 16 }, zoomed) {
  return {
    animation: false,
    parsing: false,
    normalized: true,
    responsive: true,
    maintainAspectRatio: false,
    layout: { padding: { top, right: 6 } },
    events: ["mousemove", "mouseout", "touchstart", "touchmove"],
    scales: {
      x: {
        type: "linear",
        min: xMin,
        max: xMax,
        title: { display: Boolean(xTitle), text: xTitle, padding: 0 },
        grid: { display: false },
        ticks: { ...TICK, precision: xMin === 1 ? 0 : undefined, ...(xTick && { callback: xTick }) },
        border: { display: false },
      },
      y: {
        min,
        suggestedMax: max,
        ticks: { ...TICK, maxTicksLimit: 6, callback: (value) => significant(value) },
        border: { display: false },
      },
    },
    plugins: {
      legend: false,
      tooltip: false,
      colors: false,
      filler: false,
      title: false,
      subtitle: false, // even if not shown, they would be created at each update
      zoom: {
        pan: { enabled: true, mode: "x", modifierKey: "shift" },
        zoom: {
          mode: "x",
          wheel: { enabled: true, modifierKey: "ctrl" },
          pinch: { enabled: true },
          drag: { enabled: true, threshold: 8, backgroundColor: "rgba(120, 110, 220, 0.18)" },
          onZoom: zoomed,
        },
        limits: { x: { minRange: xMin === 1 ? 2 : 0.05 } },
      },
    },
  };
}
