/* The sets of a dataset, by name. */
import { t } from "./i18n.js";

const NAMES = { train: () => t("training"), val: () => t("validation"), test: () => t("test") };

/** The set's name in the reader's language: "training", not "train". */
export const splitName = (split) => NAMES[split]?.() ?? split;
