import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { settings, valuesOf } = await import("../../app/static/js/trainings/differences.js");

const run = (fields) => ({ params: {}, notes: [], epochs: 30, batch_size: 16, img_size: 640, ...fields });

test("of weights that were trained elsewhere no setting is claimed", () => {
  const runs = [
    run({ start: { kind: "uploaded", file: "mine.pt" } }),
    run({ start: { kind: "auto" }, weights: "scratch" }),
  ];
  const rows = Object.fromEntries(settings(runs, { lr0: 0.01 }).map(({ title, values }) => [title, values]));
  assert.deepEqual(rows["Initial weights"], ["trained elsewhere", "from scratch"]);
  for (const title of ["Epochs", "Batch size", "Learning rate", "lr0"]) assert.equal(rows[title][0], "unknown", title);
  assert.deepEqual(rows.Epochs, ["unknown", "30"]);
  assert.deepEqual(rows["Image size (px)"], ["640", "640"]);
});

test("a classification is compared by its accuracy", () => {
  const curves = { val_loss: [], loss: [], seconds: [] };
  const titles = (...trainings) =>
    valuesOf(trainings.map((training) => ({ training, curves }))).map(([title, value]) => [
      typeof title === "string" ? title : title(),
      value({ training: trainings[0], curves }),
    ]);
  const found = { task: "classify", best: { map50: null, parts: { "metrics/accuracy_top1": 0.75 } } };
  assert.equal(Object.fromEntries(titles(found))["Top-1 accuracy"], 0.75);
  assert.ok(!titles({ task: "detect", best: { map50: 0.5 } }).some(([title]) => title === "Top-1 accuracy"));
});
