/* The errors of the form for a new run, beside their fields. */
import { $, $$ } from "../lib/dom.js";
import { fault } from "../ui/validity.js";

/** Show all errors, each beside its field, and scroll to the first one.
 *  @param {any} form @param {{field: string, message: string}[]} errors
 *  @param {(field: string) => void} reveal of a parameter among the advanced ones */
export function showErrors(form, errors, reveal) {
  for (const line of $$("[data-error]")) {
    const matching = errors.filter((item) => item.field === line.dataset.error);
    line.hidden = !matching.length;
    line.textContent = matching.map((item) => item.message).join(" ");
    const control = form.elements[line.dataset.error] || line.parentElement.querySelector("[data-param]");
    if (control?.setAttribute) control.setAttribute("aria-invalid", matching.length > 0);
  }
  if (errors.some(({ field }) => ["priority", "start_not_before", "params.device"].includes(field)))
    $("[data-when]").open = true;
  const first = errors.find((item) => item.field.startsWith("params.") || form.elements[item.field]?.focus);
  if (first && form.elements[first.field]?.focus) form.elements[first.field].focus();
  else if (first) reveal(first.field);
}

/** Show the error of the field that was just left, beside it. */
export function showError(control) {
  const field = control.dataset.param ? `params.${control.dataset.param}` : control.name;
  const line = $$("[data-error]").find(({ dataset }) => dataset.error === field);
  if (!line) return;
  const text = fault(control);
  line.hidden = !text;
  line.textContent = text;
  control.setAttribute("aria-invalid", Boolean(text));
}
