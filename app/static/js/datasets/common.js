/* Parts of a dataset's display that several pages share. */
import { get, post } from "../lib/api.js";
import { $, ask, h, icon, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { SPLITS, imagesIn, splitName } from "../lib/vocabulary.js";

/** The shares of the splits as a bar with its legend. */
export function splitBar(dataset) {
  const parts = SPLITS.map((name) => ({ name, count: imagesIn(dataset, name) })).filter(({ count }) => count);
  return [
    h(
      "div",
      { class: "split", "aria-hidden": "true" },
      parts.map(({ name, count }) => h("span", { class: `split-${name}`, style: { flex: String(count) } })),
    ),
    h(
      "div",
      { class: "split-legend" },
      parts.length
        ? parts.map(({ name, count }) =>
            h("span", { class: `key-${name}` }, h("span", {}, `${splitName(name)} ${number(count)}`)),
          )
        : t("no images yet"),
    ),
  ];
}

const LETTERS = 60; // of the names that are shown: about two lines of a card

/** How many of the names fit; at least one. */
function fitting(names, most) {
  let letters = 0;
  const match = names.slice(0, most).findIndex((name) => {
    letters += Math.min(name.length, 24) + 4;
    return letters > LETTERS;
  });
  return match < 0 ? Math.min(most, names.length) : Math.max(1, match);
}

/** The first class names as chips. */
export function classChips(classes, most = 6) {
  const count = fitting(classes, most);
  const rest = classes.length - count;
  return h(
    "div",
    { class: "chips" },
    classes.slice(0, count).map((name) => h("span", { class: "chip", title: name }, name)),
    rest > 0 && h("span", { class: "chip", title: classes.slice(count, count + 30).join(", ") }, `+${number(rest)}`),
  );
}

export const pictures = (count) => (count ? tn("{n} image", "{n} images", count) : t("No images"));

/** Make the button lead to the sample dataset: to the existing one, or to a new one. */
export function sampleButton(button) {
  const before = [...button.childNodes];
  const busy = (is) => {
    button.disabled = is;
    button.replaceChildren(...(is ? [icon("stars"), ` ${t("Creating the sample dataset…")}`] : before));
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const existing = await get("/api/datasets/sample");
      const chosen = existing.dataset_id ? await offered(existing) : "new";
      busy(chosen === "new");
      if (chosen === "new") window.location.assign(`/datasets/${(await post("/api/datasets/sample")).dataset_id}`);
      else if (chosen) window.location.assign(`/datasets/${existing.dataset_id}`);
    } catch (error) {
      busy(false);
      toast(error.detail || error.title, "failed");
    }
  });
  return button;
}

/** "there", "new", or null: the reader's choice if there is a sample already. */
async function offered({ name }) {
  const option = (value, title, checked) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "sample", value, checked }),
      h("span", {}, title),
    );
  const choices = h(
    "fieldset",
    { class: "choices" },
    h("legend", { class: "visually-hidden" }, t("Sample dataset")),
    option("there", t("Open “{name}”", { name }), true),
    option("new", t("Create another sample dataset"), false),
  );
  return ask({
    title: t("The sample dataset is already there"),
    action: t("Continue"),
    body: choices,
    read: () => $("input:checked", choices).value,
  });
}
