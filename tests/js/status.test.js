import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const status = await import("../../app/static/js/ui/status.js");
const { splitName } = await import("../../app/static/js/lib/vocabulary.js");
const { bestEpoch } = await import("../../app/static/js/trainings/best_epoch.js");

test("a requested stop or pause is the state of what still runs", () => {
  const of = (fields) => status.stateOf({ status: "running", ...fields });
  assert.equal(of({}), "running");
  assert.equal(of({ pause_requested: true }), "pausing");
  assert.equal(of({ pause_requested: true, stop_requested: true }), "stopping");
  assert.equal(status.stateOf({ status: "completed", stop_requested: true }), "completed");
});

test("progress: the server's count, else epochs, and a completed run is whole", () => {
  assert.equal(status.fraction({ status: "running", progress: { fraction: 0.3 }, current_epoch: 9, epochs: 10 }), 0.3);
  assert.equal(status.fraction({ status: "failed", current_epoch: 5, epochs: 10 }), 0.5);
  assert.equal(status.fraction({ status: "completed", current_epoch: 5, epochs: 10 }), 1, "it may stop early");
});

test("the epoch that a run is in", () => {
  const run = { current_epoch: 3, epochs: 10 };
  assert.equal(status.epochText(run), "Epoch 4 of 10");
  assert.equal(status.epochText({ ...run, progress: { epoch: 3 } }), "Epoch 3 of 10");
  assert.equal(status.epochText({ ...run, current_epoch: 10 }), "Epoch 10 of 10", "none comes after the last");
  assert.equal(status.epochText({ ...run, total_epochs: 2000, current_epoch: 1499 }), "Epoch 1,500 of 2,000");
});

test("what a run waits for", () => {
  const text = (waiting) => status.waitingText({ waiting_for: waiting });
  assert.equal(text({ code: "turn", ahead: 1 }), "Queued: 1 run ahead.");
  assert.equal(text({ code: "turn", ahead: 2 }), "Queued: 2 runs ahead.");
  assert.equal(text({ code: "turn", ahead: 0 }), "Queued.");
  assert.equal(text({ code: "a new one", message: "as the server says" }), "as the server says");
  assert.equal(text(null), "The run starts automatically.");
});

test("waiting counts where it is clearly more than work", () => {
  assert.equal(status.waitedBetween(100, 109), false);
  assert.equal(status.waitedBetween(100, 111), true);
  assert.equal(status.waitedBetween(1000, 1040), false, "within 5 %");
  assert.equal(status.waitedBetween(100, null), false);
});

test("sets by their names", () => {
  assert.deepEqual(["train", "val", "test", "other"].map(splitName), ["training", "validation", "test", "other"]);
});

test("the best epoch is the one with the best fitness, of equals the later", () => {
  const epoch = (number, map50, map95, fitness) => ({ epoch: number, map50, map95, fitness });
  assert.equal(bestEpoch([]), null);
  assert.equal(bestEpoch([epoch(1, 0, 0)]), null, "nothing was learned");
  assert.equal(bestEpoch([epoch(1, 0.9, 0.1), epoch(2, 0.5, 0.2)]), 2);
  assert.equal(bestEpoch([epoch(1, 0.5, 0.5), epoch(2, 0.5, 0.5)]), 2);
  assert.equal(bestEpoch([epoch(1, 0.1, 0.1, 0.9), epoch(2, 0.9, 0.9, 0.2)]), 1, "as the trainer counts it");
});
