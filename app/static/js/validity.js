/* What is wrong with a control, in the page's language: the browser's own words are in the browser's. */
import { number } from "./format.js";
import { t } from "./i18n.js";

/** The message of a control that holds what it must not; empty where it is right. */
export function fault({ type, min, max, value, validity }) {
  if (validity.valid) return "";
  if (validity.badInput) return type === "number" ? t("Write a number.") : t("Write the whole date with its time.");
  if (validity.valueMissing) return t("This is needed.");
  if (validity.rangeUnderflow) return t("The smallest value is {value}.", { value: number(min, 8) });
  if (validity.rangeOverflow) return t("The largest value is {value}.", { value: number(max, 8) });
  if (validity.stepMismatch) return Number.isInteger(Number(value)) ? "" : t("Write a whole number."); // larger steps are for the arrows alone
  return t("This value does not fit here.");
}
