/* A dialog for other options of an import, and its fields. The entered values stay until the server has accepted
   them. */
import { ask, h, icon } from "../lib/dom.js";
import { t, tn } from "../lib/i18n.js";

let serial = 0;

const note = () =>
  h(
    "p",
    { class: "dialog-note" },
    icon("info-circle"),
    h(
      "span",
      {},
      t(
        "A new version is created and becomes the current one. The previous version is kept and can be used " +
          "again; existing runs keep the version they used.",
      ),
    ),
  );

export function field(label, control, help) {
  const id = `change-${(serial += 1)}`;
  control.id = id;
  return h(
    "div",
    { class: "field" },
    h("label", { class: "form-label", for: id }, label),
    control,
    help && h("div", { class: "field-help" }, help),
  );
}

/** One of several, as radio buttons: options [{value, title, help}]. */
export function choices(legend, options, chosen) {
  const name = `choice-${(serial += 1)}`;
  const element = h(
    "fieldset",
    { class: "choices choices-tall" },
    h("legend", { class: "visually-hidden" }, legend),
    options.map((option) =>
      h(
        "label",
        { class: "choice" },
        h("input", { type: "radio", name, value: option.value, checked: option.value === chosen }),
        h("span", {}, h("strong", {}, option.title), option.help && h("span", { class: "field-help" }, option.help)),
      ),
    ),
  );
  return { element, value: () => element.querySelector(":checked")?.value };
}

/** A checkbox, with an explanation. */
export function tick(label, help, checked = false) {
  const box = h("input", { class: "form-check-input", type: "checkbox", checked });
  return {
    element: h("label", { class: "dialog-tick" }, box, h("span", {}, label, h("span", { class: "field-help" }, help))),
    get checked() {
      return box.checked;
    },
  };
}

/** The offer to fix findings in the same revision; null if there is nothing to fix. */
function mending({ data }) {
  const count = data.report?.fixable || 0;
  return count
    ? tick(
        tn("Also fix the {n} fixable issue", "Also fix the {n} fixable issues", count),
        t("Applied in the same version. The Issues tab describes each fix."),
      )
    : null;
}

/** A dialog with a note on what will happen. `read()` returns the options; false: nothing was changed, null: it shows
 *  itself what is missing. */
export function question(current, send, { title, body, read }) {
  const refused = h("p", { class: "field-error", role: "alert", hidden: true });
  const mend = mending(current);
  const chosenOptions = () => {
    const options = read();
    return options !== null && mend?.checked ? { ...options, fixes: "all" } : options;
  };
  const agree = async () => {
    const options = chosenOptions();
    const reason = options ? await send(options) : options === null ? "" : t("No changes yet.");
    refused.hidden = !reason;
    refused.textContent = reason || "";
    return Boolean(options) && !reason;
  };
  return ask({ title, action: t("Create version"), body: [body, mend?.element, refused, note()].flat(), read: agree });
}
