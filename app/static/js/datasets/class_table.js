/* The classes as a table, the textual form of the chart: images and objects by split. */
import { h, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { SPLITS, splitName } from "../lib/vocabulary.js";
import { classTag } from "./objects.js";

export class ClassTable {
  constructor(current, container) {
    this.current = current;
    this.container = container;
  }

  /** `counted`: from the statistics, or null if nothing was counted. */
  show(counted) {
    const { classes, busy } = this.current;
    if (!classes.length) {
      setChildren(
        this.container,
        h("p", { class: "panel-empty" }, busy ? t("The dataset check is counting the objects.") : t("No classes yet.")),
      );
      return;
    }
    const splits = SPLITS.filter((split) => split !== "test" || this.current.data.test_images);
    const countOf = new Map((counted || []).map((item) => [item.class, item]));
    const classifies = this.current.data.task === "classify"; // a class belongs to an image
    const cell = (item, split) => {
      const objects = (classifies ? item?.images : item?.objects)?.[split] ?? 0;
      return h(
        "td",
        {
          class: `number ${item && !objects ? "is-missing" : ""}`,
          title: item ? tn("in {n} image", "in {n} images", item.images[split] ?? 0) : null,
        },
        item ? number(objects) : "–",
      );
    };
    setChildren(
      this.container,
      h(
        "div",
        { class: "table-wrap class-table", tabindex: "0", role: "region", "aria-label": t("Classes") },
        h(
          "table",
          { class: "list is-tight" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", { scope: "col" }, t("Class")),
              splits.map((split) => h("th", { scope: "col", class: "number" }, splitName(split))),
            ),
          ),
          h(
            "tbody",
            {},
            classes.map((_name, index) =>
              h(
                "tr",
                {},
                h(
                  "th",
                  { scope: "row" },
                  h(
                    "a",
                    { class: "class-link", href: `?tab=images&class=${index}`, "data-go": "" },
                    classTag(classes, index),
                  ),
                ),
                splits.map((split) => cell(countOf.get(index), split)),
              ),
            ),
          ),
        ),
      ),
    );
  }
}
