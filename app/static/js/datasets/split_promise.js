/* The numbers of a new split: computed by the server, with the function that creates it. */
import { post } from "../lib/api.js";
import { h, setChildren } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { splitName } from "../lib/vocabulary.js";

const AFTER_MS = 250; // after the last key
const NAMED = 5;

export class SplitPromise {
  /** `data`: the dataset. */
  constructor(data) {
    this.data = data;
    this.turn = 0;
    this.element = h("div", { class: "quiet tabular split-promise", role: "status" });
  }

  refuse(text) {
    this.turn += 1;
    setChildren(this.element, text);
  }

  /** `split`: shares and seed; null: as in the upload. The present text stays until the response arrives. */
  ask(split) {
    const turn = ++this.turn;
    clearTimeout(this.timer);
    if (!this.element.firstChild) setChildren(this.element, t("Calculating the split…"));
    this.timer = setTimeout(async () => {
      try {
        const preview = await post(`/api/datasets/${this.data.id}/split-preview`, { split });
        if (turn === this.turn) setChildren(this.element, this.texts(preview));
      } catch (error) {
        if (turn === this.turn) setChildren(this.element, error.detail || error.title);
      }
    }, AFTER_MS);
  }

  texts({ splits, classes, torn }) {
    const total = Object.values(splits).reduce((sum, count) => sum + count, 0);
    const without = classes.filter(({ val }) => !val).map(({ name }) => name);
    const names = [...without.slice(0, NAMED), without.length > NAMED && "…"].filter(Boolean).join(", ");
    return [
      h(
        "p",
        {},
        Object.entries(splits)
          .map(([name, count]) => `${splitName(name)}: ${number(count)} (${percent(count / total)})`)
          .join(" · "),
      ),
      without.length > 0 &&
        h(
          "p",
          {},
          t(
            "No validation images for: {names}. These classes have too few images, or their images must stay together.",
            { names },
          ),
        ),
      torn > 0 &&
        h(
          "p",
          {},
          tn(
            "{n} image can't stay with its near-duplicates or source.",
            "{n} images can't stay with their near-duplicates or source.",
            torn,
          ),
        ),
    ];
  }
}
