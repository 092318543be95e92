import assert from "node:assert/strict";
import { test } from "node:test";
import { firstIndex, lastDrawn, lastUpTo, trace, within } from "../../app/static/js/charts/polyline.js";

const points = (...values) => values.map((y, x) => ({ x, y }));
const same = (value) => value;
const traced = (items, toX = same, toY = same) => {
  const path = [];
  const length = trace(items, toX, toY, (x, y) => path.push([x, y]));
  return { length, path };
};

test("the first that answers yes", () => {
  assert.equal(
    firstIndex([1, 3, 5], (item) => item >= 3),
    1,
  );
  assert.equal(
    firstIndex([1, 3, 5], (item) => item > 9),
    3,
  );
  assert.equal(
    firstIndex([], () => true),
    0,
  );
});

test("the last point up to a place", () => {
  assert.equal(lastUpTo(points(7, 8, 9), 1.5).y, 8);
  assert.equal(lastUpTo(points(7), -1), undefined);
});

test("a part of the axis has a point more on each side", () => {
  const all = points(0, 1, 2, 3, 4, 5);
  assert.deepEqual(within(all, 2, 3).map(({ x }) => x), [1, 2, 3, 4]); // prettier-ignore
  assert.equal(within(all, 0, 5), all, "nothing is copied where all is seen");
  assert.deepEqual(within(all, 9, 10).map(({ x }) => x), [5]); // prettier-ignore
});

test("a line goes on from the last point that is no gap", () => {
  assert.equal(lastDrawn(points(1, null, null, 4), 3), 0);
  assert.equal(lastDrawn(points(1, 2), 0), 0);
});

test("gaps are spanned, the length is that of the way", () => {
  const { length, path } = traced([{ x: 0, y: 0 }, { x: 3, y: null }, { x: 30, y: 40 }]); // prettier-ignore
  assert.deepEqual(path, [[0, 0], [30, 40]]); // prettier-ignore
  assert.equal(length, 50);
});

test("what has no place on the axis is left out", () => {
  assert.deepEqual(traced(points(1, 0, 100), same, Math.log).path.length, 3);
  assert.deepEqual(traced(points(1, -1, 100), same, Math.log).path.map(([x]) => x), [0, 2]); // prettier-ignore
});

test("of a column of pixels the first, the extremes and the last are drawn", () => {
  const wave = Array.from({ length: 10_000 }, (_, index) => ({ x: index, y: index % 7 }));
  const { path } = traced(wave, (x) => x / 1000);
  assert.ok(path.length <= 4 * 10);
  assert.deepEqual([Math.min(...path.map(([, y]) => y)), Math.max(...path.map(([, y]) => y))], [0, 6]);
  assert.deepEqual(path[0], [0, 0]);
  assert.equal(path.at(-1)[1], 9999 % 7);
});

test("no points, no line", () => assert.deepEqual(traced([]), { length: 0, path: [] }));
