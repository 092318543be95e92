/* Deletes a dataset: shows what is deleted, and asks for the name if it is large. */
import { get, remove } from "../lib/api.js";
import { ask, h, toast } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

const MUCH = 100; // images from which the name is asked for

/** Whether it was deleted. If it cannot be deleted, that is shown first. */
export async function eraseDataset({ id }) {
  let dataset;
  try {
    dataset = await get(`/api/datasets/${id}`);
  } catch (error) {
    toast(error.detail || error.title, "failed");
    return false;
  }
  if (dataset.trainings || dataset.trashed) {
    await inUse(dataset);
    return false;
  }
  return erase(dataset);
}

/** It cannot be deleted now: shows what uses it, with links. */
async function inUse({ id, name, trainings, trashed }) {
  const uses = [
    trainings &&
      tn(
        "{n} training run uses it. Delete the run first.",
        "{n} training runs use it. Delete the runs first.",
        trainings,
      ),
    trashed &&
      tn(
        "{n} training run in the trash uses it. Delete that run permanently first.",
        "{n} training runs in the trash use it. Delete those runs permanently first.",
        trashed,
      ),
  ].filter(Boolean);
  const answer = await ask({
    title: t("“{name}” can't be deleted yet", { name }),
    action: trainings ? t("Open the training runs") : t("Open the trash"),
    body: h(
      "ul",
      { class: "erase-list" },
      uses.map((text) => h("li", {}, text)),
    ),
  });
  if (answer)
    window.location.assign(trainings ? `/datasets/${id}?tab=trainings` : `/trainings?trash=true&dataset_id=${id}`);
}

async function erase(dataset) {
  const many = (dataset.total_images || 0) >= MUCH;
  const input = h("input", { class: "form-control", id: "erase-name", autocomplete: "off", spellcheck: "false" });
  const error = h("p", { class: "field-error", role: "alert", hidden: true }, t("The name doesn't match."));
  const read = () => {
    error.hidden = !many || input.value.trim() === dataset.name.trim();
    return error.hidden;
  };
  const goes = [
    tn("{n} image and its labels", "{n} images and their labels", dataset.total_images || 0),
    dataset.revision && t("all versions and issues"),
    dataset.original && t("the uploaded file"),
    dataset.size_bytes && bytes(dataset.size_bytes),
  ].filter(Boolean);
  const agreed = await ask({
    title: t("Delete this dataset?"),
    action: t("Delete"),
    className: "btn-danger-solid",
    read,
    body: [
      h(
        "p",
        {},
        t("“{name}” will be permanently deleted from the server. This can't be undone. What will be deleted:", {
          name: dataset.name,
        }),
      ),
      h(
        "ul",
        { class: "erase-list" },
        goes.map((text) => h("li", {}, text)),
      ),
      many &&
        h(
          "div",
          { class: "field" },
          h("label", { class: "form-label", for: "erase-name" }, t("Type the dataset name to confirm")),
          input,
          error,
        ),
    ],
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
