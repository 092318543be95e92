import assert from "node:assert/strict";
import { test } from "node:test";
import { match, overlap } from "../../app/static/js/inference/matching.js";

const box = (name, ...bbox) => ({ class: name, bbox });

test("overlap is intersection over union", () => {
  assert.equal(overlap([0, 0, 10, 10], [0, 0, 10, 10]), 1);
  assert.equal(overlap([0, 0, 10, 10], [5, 0, 15, 10]), 50 / 150);
  assert.equal(overlap([0, 0, 10, 10], [10, 0, 20, 10]), 0, "they only touch");
  assert.equal(overlap([0, 0, 10, 10], [20, 20, 30, 30]), 0);
});

test("each detection is in one pair at most, the best overlap first", () => {
  const near = box("cat", 1, 0, 11, 10);
  const same = box("cat", 0, 0, 10, 10);
  const first = box("cat", 0, 0, 10, 10);
  const rows = match([first], [near, same]);
  assert.deepEqual(
    rows.map(({ a, b }) => [a, b]),
    [
      [first, same],
      [null, near],
    ],
  );
});

test("another class or too little overlap is no pair", () => {
  const [cat, dog, far] = [box("cat", 0, 0, 10, 10), box("dog", 0, 0, 10, 10), box("cat", 6, 0, 16, 10)];
  assert.deepEqual(match([cat], [dog, far]), [
    { a: cat, b: null },
    { a: null, b: dog },
    { a: null, b: far },
  ]);
});

test("nothing matches nothing", () => assert.deepEqual(match([], []), []));
