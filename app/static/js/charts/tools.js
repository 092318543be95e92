/* The tools above a chart: buttons, and the names of its lines. */
import { h, icon } from "../lib/dom.js";

/** A button of a chart; without a symbol its text is "log". */
export function button({ spec }, symbol, label, act) {
  return h(
    "button",
    {
      class: "icon-button",
      type: "button",
      title: label,
      "aria-label": symbol ? `${label}: ${spec.title}` : `log (${label}: ${spec.title})`,
      onclick: act,
    },
    symbol ? icon(symbol) : h("span", { class: "icon-text" }, "log"),
  );
}

/** A line's name, with its style and its value; a click shows or hides it. `write(label)` may shorten the name.
 *  @param {Series} line @param {boolean} hidden @param {() => void} toggle @param {(label: string) => any} write */
export function key({ colour, dashed, label }, hidden, toggle, write = (text) => text) {
  const value = h("span", { class: "key-value" });
  const element = h(
    "button",
    {
      class: "key",
      type: "button",
      "aria-pressed": String(!hidden),
      title: write(label) === label ? null : label,
      onclick: () => {
        toggle();
        element.setAttribute("aria-pressed", String(element.getAttribute("aria-pressed") !== "true"));
      },
    },
    h("span", { class: `key-line ${dashed ? "is-dashed" : ""}`, style: { color: `var(${colour})` } }),
    h("span", { class: "key-name" }, write(label)),
    value,
  );
  return { element, value };
}
