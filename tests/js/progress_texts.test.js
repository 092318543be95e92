import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { progressTexts } = await import("../../app/static/js/trainings/progress_texts.js");
const RUN = {
  current_epoch: 3,
  total_epochs: 10,
  progress: { epoch: 4, batch: 2, batches: 9 },
  training_seconds: 30,
  duration: 90,
  start: { kind: "auto" },
};
const says = (more, metrics = []) => {
  const { main, side, strong } = progressTexts({ ...RUN, ...more }, metrics);
  return [main, ...side.filter(Boolean), strong].join(" | ");
};

test("a run in progress says where it is", () => {
  assert.match(says({ status: "running", eta: 60 }), /^Epoch 4 of 10 \| batch 2 of 9 \| 30% · /);
});

test("what has happened to it is said in every state", () => {
  for (const status of ["pending", "running", "paused", "completed", "failed", "cancelled"])
    assert.match(
      says({ status, restarts: 2, halvings: 1, batch_now: 4 }),
      /automatically 2 times \| batch size reduced to 4/,
    );
});

test("a paused one says how long the rest takes at its pace", () => {
  assert.match(says({ status: "paused" }, [{ seconds: 3 }, { seconds: 5 }]), /about 28 s left/);
  assert.doesNotMatch(says({ status: "paused" }), /left/);
});

test("one that ended says how long it trained, and what lay between", () => {
  assert.match(says({ status: "failed" }), /^Ended after epoch 3 of 10 \| trained for 30 s \| .* from start to end/);
  assert.match(says({ status: "failed", current_epoch: 0 }), /^Ended before the first epoch/);
  assert.match(says({ status: "completed", start: { kind: "uploaded" } }), /^Model trained elsewhere/);
});
