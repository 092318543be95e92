import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { bounds, className, marked, pixels, withClass } = await import("../../app/static/js/datasets/objects.js");
const { COLOURS, classColour, inkOn, seriesOf } = await import("../../app/static/js/ui/palette.js");

test("the upright box of each kind of object", () => {
  const close = (actual, expected) =>
    Object.entries(expected).forEach(([key, value]) => assert.ok(Math.abs(actual[key] - value) < 1e-9, key));
  close(bounds({ box: [0.5, 0.5, 0.2, 0.4] }), { x: 0.4, y: 0.3, width: 0.2, height: 0.4 });
  close(bounds({ points: [[0.1, 0.2], [0.4, 0.1], [0.3, 0.6]] }), { x: 0.1, y: 0.1, width: 0.3, height: 0.5 }); // prettier-ignore
  assert.equal(bounds({ kind: "class" }), null);
});

test("sides in pixels of the image", () => {
  assert.deepEqual(pixels({ box: [0.5, 0.5, 0.5, 0.5] }, { width: 80, height: 20 }), {
    width: 40,
    height: 10,
    size: 20,
  });
  assert.equal(pixels({ kind: "class" }, { width: 80, height: 20 }), null);
});

test("keypoints that nobody marked are left out", () => {
  const points = [[0.1, 0.1, 2], [0, 0, 0], [0.2, 0.2]]; // prettier-ignore
  assert.deepEqual(marked({ points }), [points[0], points[2]]);
});

test("the class of an image of a classification is its folder's", () => {
  const dataset = { data: { task: "classify" }, classes: ["cat", "wild/dog"] };
  const image = { file: "images/train/wild/dog/1.jpg", objects: [] };
  assert.deepEqual(withClass(image, dataset).objects, [{ class: 1, kind: "class" }]);
  assert.equal(withClass({ ...image, file: "images/train/cow/1.jpg" }, dataset).objects.length, 0);
  assert.equal(withClass(image, { ...dataset, data: { task: "detect" } }), image);
});

test("a class without a name has its number", () => {
  assert.equal(className(["cat"], 0), "cat");
  assert.equal(className(["cat"], 3), "class 3");
});

test("classes keep their colours, those of curves are told apart while they can be", () => {
  assert.equal(classColour(COLOURS.length), COLOURS[0]);
  assert.equal(classColour(-1), COLOURS.at(-1));
  assert.deepEqual([...seriesOf([0, 6, 1])], [[0, 1], [1, 2], [6, 3]]); // prettier-ignore
  assert.deepEqual([inkOn("#ffffff"), inkOn("#000000")], ["#15151c", "#ffffff"]);
});
