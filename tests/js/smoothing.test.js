import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { Average, smoothing } = await import("../../app/static/js/charts/smoothing.js");
const course = (weight, values) => {
  const average = new Average(weight);
  return values.map((value) => average.next(value));
};

test("without weight the values stay as they are", () => {
  assert.deepEqual(course(0, [3, 1, 2]), [3, 1, 2]);
});

test("a constant stays a constant from its first value on: nothing pulls it towards zero", () => {
  for (const value of course(0.9, [5, 5, 5, 5])) assert.ok(Math.abs(value - 5) < 1e-12);
});

test("the average is that of exponential weights", () => {
  const [first, second] = course(0.5, [0, 1]);
  assert.equal(first, 0);
  assert.ok(Math.abs(second - (0.5 * 1) / 0.75) < 1e-12);
});

test("gaps and what is no number stay gaps, and the course goes on behind them", () => {
  assert.deepEqual(course(0, [1, null, undefined, NaN, Infinity, 2]), [1, null, null, null, null, 2]);
  const [, , after] = course(0.5, [0, null, 1]);
  assert.ok(Math.abs(after - 2 / 3) < 1e-12);
});

test("the reader's weight is kept, and told to the charts", () => {
  let changes = 0;
  smoothing.addEventListener("change", () => (changes += 1));
  smoothing.set(0.6);
  assert.equal(smoothing.weight, 0.6);
  assert.equal(changes, 1);
  assert.equal(localStorage.getItem("yolo.charts.smoothing"), "0.6");
});
