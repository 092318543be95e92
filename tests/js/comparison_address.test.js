import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { MOST, parse, query } = await import("../../app/static/js/trainings/comparison_address.js");

test("an address comes back as it was, and the usual things need no words", () => {
  for (const text of ["", "?ids=3,5", "?ids=3,5,8&axis=time&charts=loss&all=1&smooth=0.6"])
    assert.equal(query(parse(text)), text);
  assert.equal(query(parse("?ids=3&axis=epoch&charts=map50,map95,loss,val_loss&all=0&smooth=0")), "?ids=3");
});

test("what nobody can show is left out of an address", () => {
  const many = Array.from({ length: MOST + 5 }, (_, index) => index + 1);
  assert.deepEqual(parse(`?ids=${many}`).ids, many.slice(0, MOST));
  assert.deepEqual(parse("?ids=3,3,x,-1,0,1.5").ids, [3]);
  assert.equal(query(parse("?ids=3&charts=none&smooth=7&axis=miles")), "?ids=3");
});
