import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { bytes, duration, fixed, number, percent, remaining, significant, steady, ago, dateTime } =
  await import("../../app/static/js/lib/format.js");
const space = (text) => text.replaceAll("\u00a0", " ");

test("what is not known is a dash, a zero is not", () => {
  for (const write of [number, fixed, significant, steady, percent, bytes, duration])
    for (const nothing of [null, undefined, NaN]) assert.equal(write(nothing), "–", write.name);
  assert.equal(number(0), "0");
  assert.equal(percent(0), "0%");
  assert.equal(duration(0), "0 s");
  assert.deepEqual([ago(null), dateTime("")], ["–", "–"]);
});

test("digits", () => {
  assert.equal(number(1234567.89), "1,234,568");
  assert.equal(fixed(0.5), "0.500");
  assert.equal(significant(0.123456), "0.123");
  assert.equal(significant(0.00001234), "1.23E-5");
  assert.equal(steady(0.5), "0.500");
  assert.equal(percent(0.1234, 1), "12.3%");
});

test("bytes count in units of 1024", () => {
  assert.equal(space(bytes(0)), "0 kB");
  assert.equal(space(bytes(511)), "0.5 kB");
  assert.equal(space(bytes(1024)), "1 kB");
  assert.equal(space(bytes(1.5 * 1024 ** 2)), "1.5 MB");
  assert.equal(space(bytes(250 * 1024 ** 3)), "250 GB");
  assert.equal(space(bytes(5 * 1024 ** 5)), "5,120 TB", "there is no larger unit");
});

test("durations have two units at most", () => {
  const texts = { 8: "8 s", 60: "1 min", 190: "3 min 10 s", 3600: "1 h", 7500: "2 h 5 min", 180000: "2 d 2 h" };
  for (const [seconds, text] of Object.entries(texts)) assert.equal(duration(Number(seconds)), text);
  assert.equal(duration(59.6), "1 min", "rounded before it is divided");
  assert.equal(duration(-3), "0 s");
});

test("the time left is rounded so that it does not flicker", () => {
  assert.equal(remaining(null), "estimating the time left");
  assert.equal(remaining(0.4), "almost done");
  assert.equal(remaining(12.3), "about 13 s left");
  assert.equal(remaining(101), "about 1 min 50 s left");
  assert.equal(remaining(3601), "about 1 h 1 min left");
});

test("ago chooses its unit", () => {
  const before = (seconds) => ago(new Date(Date.now() - seconds * 1000).toISOString());
  assert.equal(before(3), "3 sec. ago");
  assert.equal(before(7200), "2 hr. ago");
  assert.equal(before(3 * 86400), "3 days ago");
});
