/* The error of a control, in the page's language: the browser's own messages are in the browser's. */
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";

/** The message for an invalid value; empty if it is valid. */
export function fault({ type, min, max, value, validity }) {
  if (validity.valid) return "";
  if (validity.badInput) return type === "number" ? t("Enter a number.") : t("Enter a complete date and time.");
  if (validity.valueMissing) return t("This field is required.");
  if (validity.rangeUnderflow) return t("Must be {value} or more.", { value: number(min, 8) });
  if (validity.rangeOverflow) return t("Must be {value} or less.", { value: number(max, 8) });
  // larger steps are for the arrows alone
  if (validity.stepMismatch) return Number.isInteger(Number(value)) ? "" : t("Enter a whole number.");
  return t("This value isn't valid.");
}
