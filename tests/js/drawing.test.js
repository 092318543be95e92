import assert from "node:assert/strict";
import { mock, test } from "node:test";

const observers = new Map(); // by margin: what it calls with its entries
globalThis.IntersectionObserver = /** @type {any} */ (
  class {
    constructor(callback, { rootMargin }) {
      observers.set(rootMargin, callback);
    }
    observe() {}
    unobserve() {}
  }
);
const frames = [];
const page = new EventTarget();
globalThis.window = /** @type {any} */ (page);
globalThis.requestAnimationFrame = (callback) => frames.push(callback);
const { soon, unwatch, watch, writeSoon } = await import("../../app/static/js/charts/drawing.js");

const scroll = (plot, margin, isIntersecting) => observers.get(margin)([{ target: plot.element, isIntersecting }]);
const AHEAD = "400px";
const SCREEN = "60px";

function watched() {
  const plot = { element: {}, paints: 0, writes: 0, paint: () => {}, showValues: () => {} };
  plot.paint = () => (plot.paints += 1);
  plot.showValues = () => (plot.writes += 1);
  watch(plot);
  return plot;
}

/** Runs the frames that were asked for: how many. */
function runFrames() {
  let count = 0;
  for (; frames.length; count += 1) frames.shift()();
  return count;
}

test("what is on the screen is drawn with each change, several changes in one frame", () => {
  const plots = [watched(), watched()];
  for (const plot of plots) scroll(plot, SCREEN, true);
  for (const plot of [...plots, ...plots]) soon(plot);
  assert.equal(runFrames(), 1);
  assert.deepEqual(
    plots.map(({ paints }) => paints),
    [1, 1],
  );
  for (const plot of plots) unwatch(plot);
});

test("what is a scroll away is drawn as it comes near, and its changes when it comes to the screen", () => {
  const plot = watched();
  soon(plot);
  assert.equal(runFrames(), 0, "it is far away");
  scroll(plot, AHEAD, true);
  assert.equal(runFrames(), 1);
  assert.equal(plot.paints, 1, "it is not empty when it is scrolled to");
  for (let change = 0; change < 5; change += 1) soon(plot);
  assert.equal(runFrames(), 0, "nobody sees it");
  scroll(plot, SCREEN, true);
  assert.equal(runFrames(), 1);
  assert.equal(plot.paints, 2);
});

test("what was near before it had something to show is drawn once it has", () => {
  const plot = watched();
  scroll(plot, AHEAD, true);
  assert.equal(runFrames(), 0);
  soon(plot);
  assert.equal(runFrames(), 1);
  assert.equal(plot.paints, 1);
});

test("what is taken away is not drawn any more", () => {
  const plot = watched();
  scroll(plot, SCREEN, true);
  soon(plot);
  unwatch(plot);
  runFrames();
  assert.equal(plot.paints, 0);
});

test("all that has changed is drawn before the page is printed, wherever it is, and nothing else", () => {
  const [far, unchanged, gone] = [watched(), watched(), watched()];
  soon(far);
  soon(gone);
  unwatch(gone);
  page.dispatchEvent(new Event("beforeprint"));
  assert.deepEqual(
    [far, unchanged, gone].map(({ paints }) => paints),
    [1, 0, 0],
  );
  scroll(far, SCREEN, true);
  assert.equal(runFrames(), 0, "it is drawn already");
  for (const plot of [far, unchanged]) unwatch(plot);
});

test("texts off the screen are written in a frame at once, and where changes are frequent once a second", () => {
  let now = 5000;
  mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  const pass = (time) => {
    now += time;
    mock.timers.tick(time);
  };
  const charts = [watched(), watched(), watched(), watched()];
  const [one, other, painted, removed] = charts;
  const writes = () => charts.map((plot) => plot.writes);
  for (const plot of [...charts, one]) writeSoon(plot);
  unwatch(removed);
  assert.deepEqual(writes(), [0, 0, 0, 0], "all of them together");
  assert.equal(runFrames(), 1);
  assert.deepEqual(writes(), [1, 1, 1, 0]);

  const framesByChange = [];
  for (let change = 0; change < 10; change += 1) {
    pass(400);
    writeSoon(one);
    framesByChange.push(runFrames());
  }
  assert.deepEqual(framesByChange, [0, 0, 1, 0, 0, 1, 0, 0, 1, 0], "none is only for the texts");
  assert.equal(one.writes, 4);

  scroll(painted, SCREEN, true);
  writeSoon(painted);
  writeSoon(other);
  soon(painted);
  runFrames();
  pass(1000);
  assert.equal(runFrames(), 1, "the last change, although no other came");
  assert.deepEqual(writes(), [5, 2, 1, 0], "painting writes its own");
  pass(5000);
  assert.equal(runFrames(), 0);
  mock.timers.reset();
  mock.restoreAll();
});
