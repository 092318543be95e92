import "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { whyNoZip } = await import("../../app/static/js/datasets/archive_kind.js");
const EMPTY_ZIP = [0x50, 0x4b, 0x05, 0x06, ...Array(18).fill(0)];
const reason = (...bytes) => whyNoZip(new Blob([new Uint8Array(bytes)]));

test("a whole ZIP is one, with a comment and with something before it, too", async () => {
  assert.equal(await reason(...EMPTY_ZIP), null);
  assert.equal(await reason(...EMPTY_ZIP, ...Array(300).fill(0x41)), null);
  assert.equal(await reason(...Array(50).fill(0x23), ...EMPTY_ZIP), null);
});

test("another archive is named", async () => {
  assert.match(await reason(0x52, 0x61, 0x72, 0x21, 0x1a), /RAR/);
  assert.match(await reason(0x1f, 0x8b, 0x08), /gzip/);
});

test("half a ZIP and what is no archive are told apart", async () => {
  assert.match(await reason(0x50, 0x4b, 0x03, 0x04, 1, 2, 3), /incomplete/);
  assert.match(await reason(0x89, 0x50, 0x4e, 0x47), /not a ZIP/);
  assert.match(await reason(), /not a ZIP/);
});
