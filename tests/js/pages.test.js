import assert from "node:assert/strict";
import { test } from "node:test";

import { pagesOf } from "../../app/static/js/ui/pages.js";

const PER_PAGE = 2;

/** Five things on three pages. */
function viewOf(page, fails = false) {
  const view = {
    page,
    items: () => view.list.found,
    load: async () => {
      if (fails) return;
      const all = ["a", "b", "c", "d", "e"];
      view.list = { total: 5, pages: 3, found: all.slice((view.page - 1) * PER_PAGE, view.page * PER_PAGE) };
    },
  };
  view.list = { total: 5, pages: 3, found: [] };
  return view;
}

test("the arrow keys go on over pages, and from the last to the first", async () => {
  const view = viewOf(2);
  const pages = pagesOf(view, PER_PAGE);
  assert.deepEqual([pages.total, pages.before], [5, 2]);
  assert.deepEqual(await pages.turn(1), { items: ["e"], before: 4 });
  assert.deepEqual(await pages.turn(1), { items: ["a", "b"], before: 0 });
  assert.deepEqual(await pages.turn(-1), { items: ["e"], before: 4 });
  assert.equal(view.page, 3);
});

test("a page that can't be had leaves the one that is there", async () => {
  const view = viewOf(2, true);
  assert.equal(await pagesOf(view, PER_PAGE).turn(1), null);
  assert.equal(view.page, 2);
});
