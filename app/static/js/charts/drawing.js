/* Schedules the drawing of charts and images: those on the screen with each change, those within one scroll when they
   come near, so that nobody scrolls to an empty one, and all before the page is printed. Per frame only as many as keep
   it short, so that the page stays responsive. A frame for each would cost more in all, since every frame has a layout
   and paint of its own. What is drawn has an `element` and `paint()`. The texts of charts off the screen, for screen
   readers and the browser's search, are written by `showValues()` in such a frame: at most once a second, since they are
   a tenth of what a live update costs. */
const BUDGET_MS = 5;
const TEXTS_MS = 1000;
const waiting = new Set();
const unwritten = new Set(); // charts off the screen whose texts are out of date
const plots = new Map(); // by element
let frame = 0;
let writtenAt = -Infinity;
/** @type {any} */
let lateWriting = null; // a timer, in case no other change comes

const ahead = observe("400px", (plot, isNear) => (plot.near = isNear));
const visibility = observe("60px", (plot, isOnScreen) => (plot.onScreen = isOnScreen));

/** Observes what enters the window, or this margin around it, and has it drawn if it has changed since.
 *  @param {string} rootMargin @param {(plot: any, isInside: boolean) => void} note */
function observe(rootMargin, note) {
  return new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const plot = plots.get(target);
        if (!plot) continue; // it was taken away after this was noted
        note(plot, isIntersecting);
        if (isIntersecting && plot.stale) queue(plot);
      }
    },
    { rootMargin },
  );
}

export function watch(plot) {
  plots.set(plot.element, plot);
  Object.assign(plot, { onScreen: false, near: false, painted: false });
  ahead.observe(plot.element);
  visibility.observe(plot.element);
}

export function unwatch(plot) {
  ahead.unobserve(plot.element);
  visibility.unobserve(plot.element);
  plots.delete(plot.element);
  waiting.delete(plot);
  unwritten.delete(plot);
}

/** Schedule the texts of a chart that is off the screen. */
export function writeSoon(plot) {
  unwritten.add(plot);
  if (performance.now() - writtenAt >= TEXTS_MS) requestFrame();
  else
    lateWriting ??= setTimeout(() => {
      writtenAt = -Infinity;
      requestFrame();
    }, TEXTS_MS);
}

function writeTexts() {
  clearTimeout(lateWriting);
  lateWriting = null;
  writtenAt = performance.now();
  for (const plot of unwritten) plot.showValues();
  unwritten.clear();
}

/** Schedule it: for one of the next frames, or for when it enters the screen. */
export function soon(plot) {
  plot.stale = true;
  if (plot.onScreen || (plot.near && !plot.painted)) queue(plot);
}

function queue(plot) {
  waiting.add(plot);
  requestFrame();
}

function requestFrame() {
  frame ||= requestAnimationFrame(next);
}

function next() {
  frame = 0;
  if (unwritten.size && performance.now() - writtenAt >= TEXTS_MS) writeTexts();
  const end = performance.now() + BUDGET_MS;
  for (const plot of waiting) {
    draw(plot);
    if (performance.now() > end) break;
  }
  if (waiting.size) requestFrame();
}

function draw(plot) {
  waiting.delete(plot);
  unwritten.delete(plot); // painting writes them, too
  plot.stale = false;
  plot.painted = true;
  plot.paint();
}

window.addEventListener("beforeprint", () => {
  for (const plot of plots.values()) if (plot.stale) draw(plot);
});
