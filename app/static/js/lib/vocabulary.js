/* The vocabulary shared by the server and the pages, in the reader's language. tests/test_scripts.py compares it with
   the server's. */
import { t } from "./i18n.js";

/** @type {Record<string, () => string>} */
const SPLIT_NAMES = { train: () => t("training"), val: () => t("validation"), test: () => t("test") };
/** The splits of a dataset, in their order. */
export const SPLITS = Object.keys(SPLIT_NAMES);
/** The split's name in the reader's language: "training", not "train". @param {string} split */
export const splitName = (split) => SPLIT_NAMES[split]?.() ?? split;
/** How many images of a dataset or revision are in a split. @param {Record<string, any>} item @param {string} split
 *  @returns {number} */
export const imagesIn = (item, split) => item[`${split}_images`] || 0;

/** The formats that a dataset is exported in. */
export const EXPORTS = ["yolo", "coco", "voc"];

/** @typedef {Record<string, string | (() => string)>} Words by their names in the API */

/** @type {Words} */
const TASK_NAMES = {
  detect: () => t("Detection"),
  segment: () => t("Segmentation"),
  pose: () => t("Pose"),
  obb: () => t("Oriented bounding boxes"),
  classify: () => t("Classification"),
};
/** See app/core/formats.py. @type {Words} */
export const FORMATS = {
  yolo: "YOLO",
  darknet: "YOLO (darknet)",
  "cvat-yolo": "YOLO (CVAT)",
  coco: "COCO",
  voc: "Pascal VOC",
  cvat: "CVAT",
  labelme: "LabelMe",
  createml: "CreateML",
  csv: "CSV",
  "label-studio": "Label Studio",
  supervisely: "Supervisely",
  darwin: "Darwin (V7)",
  via: "VIA",
  datumaro: "Datumaro",
  labelbox: "Labelbox",
  ultralytics: "Ultralytics NDJSON",
  masks: () => t("masks (PNG)"),
  "csv-classes": "CSV (classes)",
  folders: () => t("class folders"),
};
/** @param {Words} words @param {string} key */
function word(words, key) {
  const text = words[key];
  return typeof text === "function" ? text() : text || key;
}

/** The tasks of models, by their names in the API. */
export const TASKS = Object.keys(TASK_NAMES);
/** @param {string} task */
export const taskName = (task) => word(TASK_NAMES, task);
/** @param {string} format */
export const formatName = (format) => word(FORMATS, format);
