import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

/** The module as a page of this reader imports it. */
async function as(role, account, owned) {
  globalThis.document.documentElement.dataset = { role, account };
  globalThis.document.querySelector = () => ({ dataset: { owned } });
  return import(`../../app/static/js/lib/access.js?${role}${account}${owned}`);
}

const mine = { created_by: { id: 7 }, actions: ["stop", "clone"] };
const others = { created_by: { id: 8 }, actions: ["stop", "clone"] };
const owners = { created_by: null, actions: ["stop", "clone"] };

test("a reader sees the buttons that are theirs", async () => {
  const seen = async (...reader) => {
    const { actionsOf, mayTrain } = await as(...reader);
    return [mayTrain, ...[mine, others, owners].map((thing) => actionsOf(thing).join())];
  };
  assert.deepEqual(await seen("viewer", "7"), [false, "", "", ""]);
  assert.deepEqual(await seen("trainer", "7"), [true, "stop,clone", "clone", "clone"]);
  assert.deepEqual(await seen("admin", ""), [true, "stop,clone", "stop,clone", "stop,clone"]);
});

test("what belongs to a run of theirs is theirs, too", async () => {
  assert.equal((await as("trainer", "7", "trainer")).mayChangeHere(owners), true);
  assert.equal((await as("trainer", "7", "admin")).mayChangeHere(owners), false);
  assert.equal((await as("viewer", "7", "admin")).mayChangeHere(mine), false);
});
