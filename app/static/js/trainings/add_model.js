/* Uploads weights that were trained elsewhere: the file, and the dataset on whose images they are verified. */
import { get, upload } from "../lib/api.js";
import { ask, h, setChildren } from "../lib/dom.js";
import { bytes, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";

const MAX_DATASETS = 100; // datasets, newest first

/** Ask for the file, and open the page of its run. */
export async function addModel() {
  const { datasets } = await get("/api/datasets", { status: "valid", per_page: MAX_DATASETS });
  const form = fields(datasets);
  const body = datasets.length
    ? form.elements
    : [h("p", {}, t("Upload a dataset first: the model is verified and evaluated on its images."))];
  const answer = await ask({ title: t("Upload a model"), body, action: t("Upload"), read: () => form.send() });
  if (answer) window.location.assign(`/trainings/${answer.training_id}`);
}

function fields(datasets) {
  const file = h("input", { class: "form-control", type: "file", accept: ".pt", id: "model-file", required: true });
  const dataset = h(
    "select",
    { class: "form-select", id: "model-dataset" },
    datasets.map(({ id, name }) => h("option", { value: id }, name)),
  );
  const name = h("input", {
    class: "form-control",
    id: "model-name",
    maxlength: 100,
    autocomplete: "off",
    placeholder: t("The file name, if empty"),
  });
  const state = h("p", { class: "quiet", role: "status", hidden: true });
  const wrong = h("div", { role: "alert" });
  const complain = (text) => {
    setChildren(wrong, h("p", { class: "field-error" }, text));
    return null;
  };
  const show = (text) => {
    state.hidden = !text;
    state.textContent = text || "";
  };
  const send = async () => {
    setChildren(wrong);
    if (!datasets.length) return true;
    if (!file.files.length) return complain(t("Choose a .pt file."));
    const form = new FormData();
    form.append("file", file.files[0]);
    form.append("dataset_id", dataset.value);
    if (name.value.trim()) form.append("name", name.value.trim());
    try {
      return await upload("/api/models", form, ({ sent, total }) =>
        show(
          sent < total
            ? t("Uploading: {share} of {size}", { share: percent(sent / total), size: bytes(total) })
            : t("Checking the file…"),
        ),
      ).done;
    } catch (error) {
      show("");
      return complain(error.detail || error.title);
    }
  };
  const field = (label, control) =>
    h("div", { class: "field" }, h("label", { class: "form-label", for: control.id }, label), control);
  return {
    elements: [
      h("p", {}, t("Weights (.pt) that ultralytics trained elsewhere. Nothing in the file is run.")),
      field(t("File"), file),
      field(t("Dataset for verification"), dataset),
      field(t("Name (optional)"), name),
      state,
      wrong,
    ],
    send,
  };
}
