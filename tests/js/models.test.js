import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { bestText, checkpointLabel } = await import("../../app/static/js/inference/models.js");

const { epochs } = await import("../../app/static/js/trainings/tables.js");

test("of weights that were trained elsewhere no best epoch and no mAP50 are claimed", () => {
  const uploaded = { task: "detect", start: { kind: "uploaded" } };
  assert.equal(checkpointLabel(uploaded), "Weights");
  assert.equal(bestText(uploaded, { epoch: 0 }), "trained elsewhere");
  const ours = { task: "detect", start: { kind: "auto" } };
  assert.equal(checkpointLabel(ours), "Checkpoint and mAP50");
  assert.equal(checkpointLabel({ ...ours, task: "classify" }), "Checkpoint");
  assert.equal(bestText(ours, { epoch: 7 }), "Best: epoch 7");
  const fields = { current_epoch: 1, total_epochs: 1, epochs: 1, status: "completed" };
  assert.deepEqual(epochs({ ...uploaded, ...fields }), ["–"]);
  assert.deepEqual(epochs({ ...ours, ...fields }), ["1 / 1"]);
});
