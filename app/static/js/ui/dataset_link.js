/* A dataset, by its name. */
import { h } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** @param {number} id @param {string | null | undefined} name unknown once it was deleted */
export const datasetLink = (id, name) =>
  h("a", { class: "dataset-link", href: `/datasets/${id}`, title: name }, name || t("Dataset {id}", { id }));
