/* The number of detections along a video, stacked by class; a click or the arrow keys seek. */
import { h } from "../lib/dom.js";
import { duration, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { sharpContext } from "../ui/marks.js";
import { colour } from "./class_colours.js";
import { settings } from "./settings.js";

export class Timeline {
  /** `go(time)` seeks in the video. */
  constructor(go) {
    this.canvas = h("canvas", {
      class: "test-timeline",
      role: "slider",
      tabindex: 0,
      "aria-label": t("Objects detected over time"),
    });
    this.go = go;
    this.samples = new Map();
    this.rate = 1;
    this.length = 0;
    this.now = 0;
    this.canvas.addEventListener("click", ({ offsetX }) => go((offsetX / this.canvas.clientWidth) * this.length));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.canvas);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    this.go(Math.max(0, Math.min(this.length, this.now + step / this.rate)));
  }

  show(samples, rate, length, now) {
    this.samples = samples;
    this.rate = rate;
    this.length = length;
    this.now = now;
    this.draw();
  }

  draw() {
    const { canvas, samples, rate, length, now } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !length) return;
    const context = sharpContext(canvas, width, height);
    const counted = [...samples].map(([index, { detections }]) => [index, countByClass(settings.visible(detections))]);
    const most = Math.max(1, ...counted.map(([, counts]) => sum(counts)));
    const bar = Math.max(1, width / (length * rate) - (width / (length * rate) > 4 ? 1 : 0));
    for (const [index, counts] of counted)
      column(context, (index / rate / length) * width, bar, counts, (height - 4) / most, height);
    context.fillStyle = getComputedStyle(canvas).color;
    context.fillRect(Math.min(width - 2, (now / length) * width), 0, 2, height);
    this.describe(counted.find(([index]) => index === Math.round(now * rate)));
  }

  describe(here) {
    const values = {
      "aria-valuemin": 0,
      "aria-valuemax": Math.round(this.length),
      "aria-valuenow": Math.round(this.now),
    };
    for (const [name, value] of Object.entries(values)) this.canvas.setAttribute(name, value);
    const summary = here ? tn("{n} object detected", "{n} objects detected", sum(here[1])) : t("not analyzed yet");
    this.canvas.setAttribute("aria-valuetext", `${duration(this.now)}: ${summary}`);
    this.canvas.title = `${number(this.now, 1)} s · ${summary}`;
  }
}

const sum = (counts) => [...counts.values()].reduce((all, count) => all + count, 0);

function countByClass(detections) {
  const counts = new Map();
  for (const { class: name } of detections) counts.set(name, (counts.get(name) || 0) + 1);
  return counts;
}

function column(context, x, bar, counts, unit, height) {
  let y = height;
  for (const [name, count] of [...counts].sort(([a], [b]) => a.localeCompare(b))) {
    context.fillStyle = colour(name);
    context.fillRect(x, y - count * unit, bar, count * unit);
    y -= count * unit;
  }
  if (!counts.size) {
    context.fillStyle = "rgb(128 128 140 / 60%)";
    context.fillRect(x, height - 1.5, bar, 1.5);
  }
}
