import "./page.js";
import assert from "node:assert/strict";
import { mock, test } from "node:test";

const asked = []; // the functions that hear the answers
const socket = {
  connected: true,
  on() {},
  timeout: () => socket,
  emit: (_name, _payload, heard) => asked.push(heard),
};
globalThis.window.io = () => socket;
globalThis.window.addEventListener = () => {};
const { live, trainingRoom } = await import("../../app/static/js/lib/socket.js");

test("a room that a busy server refused is joined again, and one that is not there is not", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const told = [];
  trainingRoom(1)
    .on("refused", ({ status }) => told.push(status))
    .on("snapshot", () => told.push("snapshot"));
  for (const answer of [
    { ok: false, status: 503 },
    { ok: false, status: 429 },
    { ok: true, seq: 5 },
  ]) {
    assert.equal(asked.length, 1);
    asked.pop()(null, answer);
    mock.timers.tick(2000);
  }
  assert.deepEqual(told, [503, "snapshot"]);
  assert.equal(asked.length, 0);

  trainingRoom(2);
  asked.pop()(null, { ok: false, status: 404 });
  mock.timers.tick(60000);
  assert.equal(asked.length, 0);
});

test("a room that was left is not joined again by an answer that comes late", () => {
  for (const answer of [[new Error("timeout")], [null, { ok: false, status: 503 }], [null, { ok: true, seq: 5 }]]) {
    const told = [];
    const room = trainingRoom(3).on("snapshot", () => told.push("snapshot"));
    const late = asked.pop();
    live.leave(room);
    assert.equal(asked.length, 1, "it says so");
    asked.pop();
    late(...answer);
    mock.timers.tick(60000);
    assert.deepEqual([asked.length, told], [0, []]);
  }
});
