/* Deleting a dataset: says what goes, and asks for the name where much goes. */
import { remove } from "../api.js";
import { ask, h, toast } from "../dom.js";
import { bytes } from "../format.js";
import { t, tn } from "../i18n.js";

const MUCH = 100; // images from which the name is asked for

/** Whether it was deleted. */
export async function eraseDataset(dataset) {
  const many = (dataset.total_images || 0) >= MUCH;
  const input = h("input", { class: "form-control", id: "erase-name", autocomplete: "off", spellcheck: "false" });
  const error = h("p", { class: "field-error", role: "alert", hidden: true }, t("The name doesn't match."));
  const read = () => {
    error.hidden = !many || input.value.trim() === dataset.name.trim();
    return error.hidden;
  };
  const goes = [
    tn("{n} image and its labels", "{n} images and their labels", dataset.total_images || 0),
    dataset.revision && t("all versions and issues"), dataset.original && t("the uploaded file"), dataset.size_bytes && bytes(dataset.size_bytes),
  ].filter(Boolean);
  const agreed = await ask({
    title: t("Delete this dataset?"), action: t("Delete"), look: "btn-danger-solid", read,
    body: [h("p", {}, t("“{name}” will be permanently deleted from the server. This can't be undone. What will be deleted:", { name: dataset.name })), h("ul", { class: "erase-list" }, goes.map((text) => h("li", {}, text))),
      many && h("div", { class: "field" }, h("label", { class: "form-label", for: "erase-name" }, t("Type the dataset name to confirm")), input, error)],
  });
  if (!agreed) return false;
  try {
    await remove(`/api/datasets/${dataset.id}`);
    toast(t("“{name}” was permanently deleted.", { name: dataset.name }), "success");
    return true;
  } catch (problem) {
    toast(problem.detail || problem.title, "failed");
    return false;
  }
}
