/* Numbers, times and sizes in the format of the page's language. */
import { locale, t } from "./i18n.js";

const DASH = "–";

/** @typedef {number | null | undefined} Figure one that may not be known */

/** @param {any} value @returns {value is number} */
export const isNumber = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));
/** @type {Map<string, Intl.NumberFormat>} */
const cache = new Map();

/** @param {Intl.NumberFormatOptions} options */
function formatter(options) {
  const key = JSON.stringify(options);
  const formatting = cache.get(key) ?? new Intl.NumberFormat(locale, options);
  cache.set(key, formatting);
  return formatting;
}

/** A number with at most `digits` decimals. @param {Figure} value @param {number} digits */
export function number(value, digits = 0) {
  return isNumber(value) ? formatter({ maximumFractionDigits: digits }).format(value) : DASH;
}

/** A number with exactly `digits` decimals, so that columns do not move. @param {Figure} value
 *  @param {number} digits */
export function fixed(value, digits = 3) {
  return isNumber(value)
    ? formatter({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
    : DASH;
}

/** A number with `digits` significant digits; small ones as powers of ten. @param {Figure} value
 *  @param {number} digits */
export function significant(value, digits = 3) {
  if (!isNumber(value)) return DASH;
  const small = value !== 0 && Math.abs(value) < 1e-4;
  return formatter({ maximumSignificantDigits: digits, notation: small ? "scientific" : "standard" }).format(value);
}

/** A number with exactly `digits` significant digits, so that the next value has the same width.
 *  @param {Figure} value @param {number} digits */
export function steady(value, digits = 3) {
  if (!isNumber(value) || (value !== 0 && Math.abs(value) < 1e-4)) return significant(value, digits);
  return formatter({ minimumSignificantDigits: digits, maximumSignificantDigits: digits }).format(value);
}

/** 0..1 as percent, with exactly `digits` decimals. @param {Figure} value @param {number} digits */
export function percent(value, digits = 0) {
  return isNumber(value)
    ? formatter({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
    : DASH;
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** Bytes in units of 1024, as the server counts them, from kB on. @param {Figure} value */
export function bytes(value) {
  if (!isNumber(value)) return DASH;
  const power = Math.min(UNITS.length - 1, value < 1024 ? 1 : Math.floor(Math.log(value) / Math.log(1024)));
  const amount = value / 1024 ** power;
  const digits = (power === 1 && amount >= 1) || amount >= 100 ? 0 : 1;
  return formatter({ style: "unit", unit: UNITS[power], maximumFractionDigits: digits })
    .format(amount)
    .replace(" ", "\u00a0"); // stays on one line
}

/** Seconds as "2 h 5 min", "3 min 10 s" or "8 s". @param {Figure} seconds */
export function duration(seconds) {
  if (!isNumber(seconds)) return DASH;
  const rounded = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [
    Math.floor(rounded / 86400),
    Math.floor(rounded / 3600) % 24,
    Math.floor(rounded / 60) % 60,
  ];
  if (days) return `${number(days)} d ${hours} h`;
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes) return rounded % 60 ? `${minutes} min ${rounded % 60} s` : `${minutes} min`;
  return `${rounded} s`;
}

/** The time left, rounded so that it does not flicker. @param {Figure} seconds */
export function remaining(seconds) {
  if (!isNumber(seconds)) return t("estimating the time left");
  if (seconds < 1) return t("almost done");
  const step = seconds > 600 ? 60 : seconds > 90 ? 10 : 1;
  return t("about {time} left", { time: duration(Math.ceil(seconds / step) * step) });
}

/** @param {string | null | undefined} iso */
export function dateTime(iso) {
  return iso ? new Date(iso).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" }) : DASH;
}

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const STEPS = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 7],
  ["week", 4.35],
  ["month", 12],
  ["year", Infinity],
];

const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" }); // expensive to create

/** "5 minutes ago". @param {string | null | undefined} iso */
export function ago(iso) {
  if (!iso) return DASH;
  let value = (Date.parse(iso) - Date.now()) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(value) < size) return words.format(Math.round(value), unit);
    value /= size;
  }
  return DASH;
}
