/* The datasets that a run can use, and the notes if there is none, or if one needs to be checked first. */
import { get } from "../lib/api.js";
import { blank, h, icon } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { MOST } from "../ui/narrow.js";
import { sampleButton } from "./common.js";

/** The listed datasets. */
export class TrainableDatasets {
  constructor() {
    /** @type {any[]} */
    this.all = [];
  }

  get any() {
    return this.all.length > 0;
  }

  /** @param {string | null} id */
  cached(id) {
    return this.all.find((item) => String(item.id) === id);
  }

  /** The newest ones; with a text, of those whose name contains it. @param {string} search */
  async list(search) {
    const { datasets: matches, total } = await get("/api/datasets", {
      status: "valid",
      per_page: MOST,
      ...(search ? { search } : {}),
    });
    this.all.push(...matches.filter(({ id }) => !this.cached(String(id))));
    return { total, options: matches.map(({ id, name }) => [id, name]) };
  }

  /** One beyond the first hundred, as an option of a list; empty if it can't be used. @param {string} id */
  async one(id) {
    try {
      const dataset = await get(`/api/datasets/${Number.parseInt(id, 10)}`);
      if (dataset.status !== "valid") return [];
      this.all.push(dataset);
      return [[dataset.id, dataset.name]];
    } catch {
      return [];
    }
  }
}

export const noDataset = () =>
  blank({
    symbol: "images",
    title: t("A run needs a dataset"),
    text: t("No dataset is ready. Upload one or use the sample dataset."),
    actions: [
      sampleButton(
        h("button", { class: "btn btn-primary", type: "button" }, icon("stars"), " ", t("Use the sample dataset")),
      ),
      h("a", { class: "btn btn-outline", href: "/datasets" }, icon("upload"), " ", t("Upload a dataset")),
    ],
  });

/** The import chose between two interpretations of the labels, and nobody has checked them yet. @param {any} dataset */
export const uncheckedLabels = (dataset) =>
  h(
    "div",
    { class: "notice is-warning", role: "status", "data-needs-review": "" },
    icon("exclamation-triangle-fill"),
    h(
      "div",
      { class: "notice-text" },
      h("strong", {}, t("Check how the labels were read")),
      h(
        "p",
        {},
        t(
          "The labels can be read in more than one way. Look at three images before you train: with the wrong " +
            "reading, the model learns nothing.",
        ),
      ),
    ),
    h(
      "div",
      { class: "notice-actions" },
      h("a", { class: "btn btn-outline btn-sm", href: `/datasets/${dataset.id}` }, t("Look at the images")),
    ),
  );
