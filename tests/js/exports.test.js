import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { mainName } = await import("../../app/static/js/trainings/exports.js");

test("the accuracy of a classification is not called mAP", () => {
  const waits = { verification: null };
  assert.equal(mainName([waits, { verification: { top1: 0.8 } }]), "Top-1 accuracy");
  assert.equal(mainName([waits, { verification: { map95: 0.5, top1: null } }]), "mAP50-95");
  assert.equal(mainName([waits]), "mAP50-95");
});
