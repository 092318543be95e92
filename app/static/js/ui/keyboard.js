/* Keys that work on every page, and their list. */
import { $, h } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** @type {Record<string, [string, () => string]>} letter: address and name */
const GO = {
  h: ["/", () => t("Dashboard")],
  d: ["/datasets", () => t("Datasets")],
  t: ["/trainings", () => t("Training runs")],
  n: ["/trainings/new", () => t("New training run")],
  c: ["/compare", () => t("Compare")],
  e: ["/tests", () => t("Test")],
  s: ["/system", () => t("System")],
};
const WAIT_MS = 1200; // for the second key
let goPressed = 0;

const key = (text) => h("kbd", {}, text);

/** The dialog with all keys. */
export function showKeys() {
  const row = (keys, text) => [h("dt", {}, keys.map((item) => [key(item), " "]).flat()), h("dd", {}, text)];
  const dialog = h(
    "dialog",
    {
      class: "dialog",
      "aria-labelledby": "keys-title",
      onclose: () => dialog.remove(),
      onclick: (event) => {
        if (event.target === dialog) dialog.close();
      },
    },
    h(
      "form",
      { method: "dialog" },
      h(
        "div",
        { class: "dialog-body" },
        h("h2", { id: "keys-title" }, t("Keyboard")),
        h(
          "dl",
          { class: "keys" },
          row(["/"], t("Search on this page")),
          Object.entries(GO).flatMap(([letter, [, name]]) => row(["g", letter], name())),
          row(["?"], t("This list")),
        ),
      ),
      h("div", { class: "dialog-actions" }, h("button", { class: "btn btn-outline" }, t("Close"))),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, dialog"))
    return;
  if (event.key === "/" && $("[data-search]")) {
    event.preventDefault();
    $("[data-search]").focus();
  } else if (event.key === "?") {
    event.preventDefault();
    showKeys();
  } else if (event.key === "g") goPressed = Date.now();
  else if (Date.now() - goPressed < WAIT_MS && Object.hasOwn(GO, event.key)) window.location.assign(GO[event.key][0]);
}

document.addEventListener("keydown", onKey);
for (const button of document.querySelectorAll("[data-keys]")) button.addEventListener("click", showKeys);
