/* Name and description of a dataset, in a dialog. */
import { patch } from "../lib/api.js";
import { ask, h, toast } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { fault } from "../ui/validity.js";

/** The changed dataset, null if nothing was changed. */
export async function renameDataset({ id, name, description }) {
  const title = h("input", {
    class: "form-control",
    id: "dataset-name",
    required: true,
    maxlength: 100,
    autocomplete: "off",
    value: name,
  });
  const about = h("textarea", {
    class: "form-control",
    id: "dataset-about",
    rows: 3,
    maxlength: 5000,
    value: description || "",
  });
  const error = h("p", { class: "field-error", role: "alert", hidden: true });
  const refuse = (text) => {
    error.textContent = text;
    error.hidden = !text;
    title.setAttribute("aria-invalid", Boolean(text));
  };
  const read = async () => {
    title.value = title.value.trim();
    refuse(title.validity.valid ? "" : fault(title));
    if (!title.validity.valid) return null;
    try {
      return await patch(`/api/datasets/${id}`, { name: title.value, description: about.value.trim() });
    } catch (problem) {
      refuse(problem.errors?.[0]?.message || problem.detail || problem.title);
      return null;
    }
  };
  const field = (label, input, ...more) =>
    h("div", { class: "field" }, h("label", { class: "form-label", for: input.id }, label), input, more);
  const changed = await ask({
    title: t("Rename the dataset"),
    action: t("Save"),
    read,
    body: [field(t("Name"), title, error), field(t("Description"), about)],
  });
  if (changed) toast(t("Saved."), "success");
  return changed;
}
