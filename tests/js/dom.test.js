import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { setDifferent } = await import("../../app/static/js/lib/dom.js");

/** An element with a property `hidden` and attributes, which counts what is written. */
function element() {
  const attributes = new Map();
  const writes = [];
  let hidden = false;
  return {
    writes,
    get hidden() {
      return hidden;
    },
    set hidden(value) {
      writes.push("hidden");
      hidden = value;
    },
    getAttribute: (name) => attributes.get(name) ?? null,
    setAttribute(name, value) {
      writes.push(name);
      attributes.set(name, value);
    },
  };
}

test("only what differs is set", () => {
  const target = /** @type {any} */ (element());
  setDifferent(target, { hidden: true, "aria-valuenow": 5 });
  assert.deepEqual(target.writes, ["hidden", "aria-valuenow"]);
  assert.equal(target.getAttribute("aria-valuenow"), "5");
  setDifferent(target, { hidden: true, "aria-valuenow": 5 });
  assert.equal(target.writes.length, 2);
  setDifferent(target, { hidden: false, "aria-valuenow": 5 });
  assert.deepEqual(target.writes, ["hidden", "aria-valuenow", "hidden"]);
});
