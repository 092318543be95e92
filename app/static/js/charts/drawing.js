/* Schedules the drawing of charts and images: only those on the screen, and per frame only as many as keep it short, so
   that the page stays responsive. A frame for each would cost more in all, since every frame has a layout and paint of
   its own. What is drawn has an `element` and `paint()`. */
const BUDGET_MS = 5;
const waiting = new Set();
const plots = new WeakMap(); // by element
let frame = 0;

const visibility = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const plot = plots.get(target);
      plot.onScreen = isIntersecting;
      if (isIntersecting && plot.stale) soon(plot);
    }
  },
  { rootMargin: "400px" },
); // what is one scroll away is drawn in advance

export function watch(plot) {
  plots.set(plot.element, plot);
  plot.onScreen = false;
  visibility.observe(plot.element);
}

export function unwatch(plot) {
  visibility.unobserve(plot.element);
  waiting.delete(plot);
}

/** Schedule it: for one of the next frames, or for when it enters the screen. */
export function soon(plot) {
  plot.stale = true;
  if (!plot.onScreen) return;
  waiting.add(plot);
  frame ||= requestAnimationFrame(next);
}

function next() {
  frame = 0;
  const end = performance.now() + BUDGET_MS;
  for (const plot of waiting) {
    waiting.delete(plot);
    plot.stale = false;
    plot.paint();
    if (performance.now() > end) break;
  }
  if (waiting.size) frame = requestAnimationFrame(next);
}
