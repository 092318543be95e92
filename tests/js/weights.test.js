import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { curl, python, shell } = await import("../../app/static/js/trainings/weights.js");

test("every example uses the threshold that stands above it", () => {
  const run = { id: 7, name: "Run", task: "detect", img_size: 640 };
  const address = "http://localhost:5000/api/models/7/predict";
  assert.match(python(run, 0.19), /conf=0\.19/);
  assert.match(shell(run, 0.19), /conf=0\.19$/);
  assert.ok(curl(run, "http://localhost:5000", { recommended: 0.19 }).endsWith(` "${address}?confidence=0.19"`));
  assert.ok(curl(run, "http://localhost:5000").endsWith(` "${address}"`), "the chosen ones are the server's own");
});

test("where a login is needed, the request has a token", () => {
  const example = curl({ id: 7 }, "http://localhost:5000", { token: true });
  assert.match(example, /^curl -H "Authorization: Bearer \$YOLO_TOKEN" -H /);
  assert.ok(!curl({ id: 7 }, "http://localhost:5000").includes("Authorization"));
});
