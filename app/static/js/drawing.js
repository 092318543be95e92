/* When charts are drawn: those that are on the screen, one in each frame, so that the page answers in between. */
const waiting = new Set();
let frame = 0;

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const plot = target.plot;
    plot.onScreen = isIntersecting;
    if (isIntersecting && plot.stale) soon(plot);
  }
}, { rootMargin: "120px" });

export function watch(plot) {
  plot.element.plot = plot;
  plot.onScreen = false;
  seen.observe(plot.element);
}

export function unwatch(plot) {
  seen.unobserve(plot.element);
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
  const [plot] = waiting;
  if (!plot) return;
  waiting.delete(plot);
  plot.stale = false;
  plot.paint();
  if (waiting.size) frame = requestAnimationFrame(next);
}
