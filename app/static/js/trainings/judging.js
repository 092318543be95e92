/* The quality of a figure, by task, and its uncertainty. The thresholds are explained in the wiki (Métricas). */
import { $ } from "../lib/dom.js";
import { fixed, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

/** {metric: [good from, fair from]} of the page's task, as on the server; empty on pages without one. */
const LEVELS = JSON.parse($("[data-page]")?.dataset.levels || "{}");
const CERTAIN = 0.03; // a figure with this uncertainty or less needs no note
const Z = 1.96; // 95 %

/** Half the width of Wilson's 95 % interval of a proportion `p` of `n` (Wilson 1927), as for a proportion of counted
 *  objects. */
export function uncertainty(p, n) {
  if (!(n > 0) || !Number.isFinite(p)) return null;
  const square = Z * Z;
  return (Z / (1 + square / n)) * Math.sqrt((p * (1 - p)) / n + square / (4 * n * n));
}

/** {level: good | fair | low, word, doubt: text or null} of a measure; null if there is none. `counted`: objects of the
 *  validation. */
export function judged(task, key, value, counted) {
  const limits = LEVELS[key];
  if (!limits || !Number.isFinite(value)) return null;
  const [good, fair] = limits;
  const level = value >= good ? "good" : value >= fair ? "fair" : "low";
  const words = { good: t("good"), fair: t("fair"), low: t("low") };
  const margin = uncertainty(value, counted);
  const crosses = margin !== null && [good, fair].some((limit) => Math.abs(value - limit) < margin);
  const doubt =
    margin === null || margin < CERTAIN
      ? null
      : {
          short: `± ${fixed(margin, 2)}`,
          text:
            task === "classify"
              ? tn(
                  "Based on {n} image: the value may vary by ±{margin}.",
                  "Based on {n} images: the value may vary by ±{margin}.",
                  counted,
                  { margin: fixed(margin, 2) },
                )
              : tn(
                  "Based on {n} object: the value may vary by ±{margin}.",
                  "Based on {n} objects: the value may vary by ±{margin}.",
                  counted,
                  { margin: fixed(margin, 2) },
                ),
        };
  return { level, word: crosses ? t("likely {level}", { level: words[level] }) : words[level], doubt, limits };
}

/** The number of objects in the validation, or of images for a classification; null if the epoch does not have it. */
export function countedIn(metric) {
  const classes = metric?.classes || [];
  return classes.length ? classes.reduce((sum, item) => sum + item.instances, 0) : null;
}

/** The figures at a threshold. Both are means over the classes, so that a frequent class weighs as much as a rare one;
 *  they are shares of detections and of objects only with a single class. */
export function thresholdText({ precision, recall }, classes) {
  const figures = { precision: percent(precision), recall: percent(recall) };
  return classes === 1
    ? t("With it, {precision} of detections are correct and {recall} of objects are found.", figures)
    : t("With it, precision is {precision} and recall is {recall}, each as the mean of the classes.", figures);
}

/** A class's precision; null if it was never detected at the chosen confidence, for which ultralytics returns 1.
 *  @param {{precision?: number | null, recall?: number | null}} item */
export const precisionOf = ({ precision, recall }) => (precision === 1 && recall === 0 ? null : precision);

/** Detections that a run stores for a preview image, the most confident ones. */
export const PREVIEW_LIMITS = { boxes: 30, masks: 10 };

/** The caption of a preview image.
 *  @param {string} task @param {number} count shapes at the chosen confidence
 *  @param {number} all that were kept: where all of them are counted and it is full, there may have been more
 *  @param {number} there annotated objects */
export function detectedText(task, count, all, there) {
  const values = { found: number(count), there: number(there) };
  const limit = task === "segment" ? PREVIEW_LIMITS.masks : PREVIEW_LIMITS.boxes;
  return count === all && all >= limit
    ? t("{found} or more detected, {there} annotated", values)
    : t("{found} detected, {there} annotated", values);
}
