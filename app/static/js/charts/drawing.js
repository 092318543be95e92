/* When charts and pictures are drawn: those that are on the screen, as many in a frame as keep it short, so that the
   page answers in between. One frame for each would cost more in all: a frame has its own layout and paint, whatever it
   shows. What is drawn has an `element` and `paint()`. */
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
); // what a scroll away is drawn already

export function watch(plot) {
  plots.set(plot.element, plot);
  plot.onScreen = false;
  visibility.observe(plot.element);
}

export function unwatch(plot) {
  visibility.unobserve(plot.element);
  waiting.delete(plot);
}

/** Have it drawn: in a frame soon, or when it comes to the screen. */
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
