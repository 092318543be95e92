/* Schedules the drawing of charts and images: those on the screen with each change, those within one scroll when they
   come near, so that nobody scrolls to an empty one, and all before the page is printed. Per frame only as many as keep
   it short, so that the page stays responsive. A frame for each would cost more in all, since every frame has a layout
   and paint of its own. What is drawn has an `element` and `paint()`. */
const BUDGET_MS = 5;
const waiting = new Set();
const plots = new Map(); // by element
let frame = 0;

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
}

/** Schedule it: for one of the next frames, or for when it enters the screen. */
export function soon(plot) {
  plot.stale = true;
  if (plot.onScreen || (plot.near && !plot.painted)) queue(plot);
}

function queue(plot) {
  waiting.add(plot);
  frame ||= requestAnimationFrame(next);
}

function next() {
  frame = 0;
  const end = performance.now() + BUDGET_MS;
  for (const plot of waiting) {
    draw(plot);
    if (performance.now() > end) break;
  }
  if (waiting.size) frame = requestAnimationFrame(next);
}

function draw(plot) {
  waiting.delete(plot);
  plot.stale = false;
  plot.painted = true;
  plot.paint();
}

window.addEventListener("beforeprint", () => {
  for (const plot of plots.values()) if (plot.stale) draw(plot);
});
