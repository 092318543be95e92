import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document.querySelector = () =>
  /** @type {any} */ ({ dataset: { levels: JSON.stringify({ map50: [0.7, 0.5] }) } });
const { countedIn, detectedText, judged, precisionOf, thresholdText, uncertainty } =
  await import("../../app/static/js/trainings/judging.js");

test("Wilson's interval of a share", () => {
  assert.ok(Math.abs(uncertainty(0.5, 100) - 0.0962) < 0.0005); // Wilson 1927: [0.404, 0.596]
  assert.ok(uncertainty(1, 5) > 0.2, "five of five are not certain");
  assert.equal(uncertainty(0.5, 0), null);
  assert.equal(uncertainty(NaN, 10), null);
});

test("levels begin at their limits", () => {
  const level = (value) => judged("detect", "map50", value, 1e6).level;
  assert.deepEqual([0.7, 0.69, 0.5, 0.49].map(level), ["good", "fair", "fair", "low"]);
  assert.equal(judged("detect", "map50", null, 10), null);
  assert.equal(judged("detect", "loss", 0.5, 10), null, "what has no limits is not judged");
});

test("few objects make a level likely only, and say how few", () => {
  const certain = judged("detect", "map50", 0.9, 1e6);
  assert.deepEqual([certain.word, certain.doubt], ["good", null]);
  const doubtful = judged("detect", "map50", 0.72, 20);
  assert.equal(doubtful.word, "likely good");
  assert.match(doubtful.doubt.text, /^Based on 20 objects: the value may vary by ±0\.\d\d\.$/);
  assert.match(judged("classify", "map50", 0.72, 1).doubt.text, /^Based on 1 image:/);
});

test("objects of the validation are counted over its classes", () => {
  assert.equal(countedIn({ classes: [{ instances: 3 }, { instances: 4 }] }), 7);
  assert.equal(countedIn({}), null);
});

test("what a threshold gives is told as a mean where it is one", () => {
  const best = { precision: 0.71, recall: 0.54 }; // of three classes: 66 % of detections, 63 % of objects
  assert.equal(thresholdText(best, 3), "With it, precision is 71% and recall is 54%, each as the mean of the classes.");
  assert.equal(thresholdText(best, 1), "With it, 71% of detections are correct and 54% of objects are found.");
});

test("a class that was never detected has no precision", () => {
  assert.equal(precisionOf({ precision: 1, recall: 0 }), null, "of no detections ultralytics says 1");
  assert.deepEqual(
    [
      [1, 0.2],
      [0, 0],
      [0.4, 0.9],
    ].map(([precision, recall]) => precisionOf({ precision, recall })),
    [1, 0, 0.4],
  );
});

test("of a preview image no more detections are kept than a few, and that is said", () => {
  assert.equal(detectedText("detect", 30, 30, 12), "30 or more detected, 12 annotated");
  assert.equal(detectedText("detect", 12, 30, 12), "12 detected, 12 annotated", "the others are less confident");
  assert.equal(detectedText("detect", 10, 10, 12), "10 detected, 12 annotated");
  assert.equal(detectedText("segment", 10, 10, 12), "10 or more detected, 12 annotated");
});
