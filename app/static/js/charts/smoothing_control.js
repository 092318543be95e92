/* The slider above the curves: the smoothing of all charts, stored in this browser. */
import { h } from "../lib/dom.js";
import { fixed } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { MOST, smoothing } from "./smoothing.js";

export function smoothingControl() {
  const output = h("output", { class: "smoothing-value" }, fixed(smoothing.weight, 2));
  let frame = 0;
  const slider = h("input", {
    class: "form-range",
    id: "smoothing",
    type: "range",
    min: 0,
    max: MOST,
    step: 0.01,
    value: smoothing.weight,
    oninput: () => {
      output.textContent = fixed(Number(slider.value), 2);
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        smoothing.set(Number(slider.value));
      });
    },
  });
  return h("div", { class: "smoothing" }, h("label", { for: "smoothing" }, t("Smoothing")), slider, output);
}
