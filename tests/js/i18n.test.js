import { speak } from "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";

speak("pt-BR", {
  "Best epoch": "Melhor época",
  "{n} image": ["{n} imagem", "{n} imagens"],
  "{a} of {b}": "{a} de {b}",
});
const { t, tn } = await import("../../app/static/js/lib/i18n.js");

test("a text in the page's language, English where the catalogue has none", () => {
  assert.equal(t("Best epoch"), "Melhor época");
  assert.equal(t("Not translated"), "Not translated");
});

test("places are filled, and what nobody fills stays", () => {
  assert.equal(t("{a} of {b}", { a: 1, b: 2 }), "1 de 2");
  assert.equal(t("{a} of {b}", { a: 1 }), "1 de {b}");
  assert.equal(t("{a} of {b}", { a: "{b}", b: 2 }), "{b} de 2", "what is filled in is not filled again");
});

test("Portuguese counts: one alone is singular, numbers as the locale writes them", () => {
  assert.equal(tn("{n} image", "{n} images", 0), "0 imagens");
  assert.equal(tn("{n} image", "{n} images", 1), "1 imagem");
  assert.equal(tn("{n} image", "{n} images", 2), "2 imagens");
  assert.equal(tn("{n} image", "{n} images", 1500), "1.500 imagens");
  assert.equal(tn("{n} file", "{n} files", 2), "2 files", "without a translation");
});
