/* The form of a new training. */
import { get, post } from "../api.js";
import { classChips, pictures, sampleButton, splitBar } from "../datasets.js";
import { $, $$, blank, failure, h, icon, put } from "../dom.js";
import { number } from "../format.js";
import { t } from "../i18n.js";

const form = $("[data-form]");
const select = form.elements.dataset_id;
const NUMBERS = ["epochs", "batch_size", "img_size", "learning_rate"];
let datasets = [];

const chosen = () => datasets.find((item) => String(item.id) === select.value);

async function start() {
  const wanted = new URLSearchParams(window.location.search).get("dataset_id");
  try {
    ({ datasets } = await get("/api/datasets", { status: "valid", per_page: 100 }));
    if (wanted && !datasets.some((item) => String(item.id) === wanted)) datasets.unshift(...(await one(wanted)));
    put($("[data-failure]"));
    form.hidden = !datasets.length;
    $("[data-none]").hidden = datasets.length > 0;
    if (!datasets.length) { put($("[data-none]"), none()); return; }
    put(select, datasets.map((item) => h("option", { value: item.id, selected: String(item.id) === wanted }, item.name)));
    show();
  } catch (error) {
    put($("[data-failure]"), failure(error, start));
  }
}

/** A dataset beyond the first hundred that the address names. */
async function one(id) {
  try {
    const dataset = await get(`/api/datasets/${Number.parseInt(id, 10)}`);
    return dataset.status === "valid" ? [dataset] : [];
  } catch { return []; }
}

const none = () => blank({
  symbol: "images", title: t("A training needs a dataset"), text: t("None is ready yet. Upload one, or begin with the sample."),
  actions: [sampleButton(h("button", { class: "btn btn-primary", type: "button" }, icon("stars"), " ", t("Try with the sample dataset"))), h("a", { class: "btn btn-outline", href: "/datasets" }, icon("upload"), " ", t("Upload a dataset"))],
});

function show() {
  const dataset = chosen();
  const place = $("[data-chosen]");
  place.hidden = !dataset;
  if (dataset) put(place, classChips(dataset.classes, 10), splitBar(dataset));
  summary();
}

function summary() {
  const dataset = chosen();
  const value = (name) => form.elements[name].value;
  const steps = dataset ? Math.ceil(dataset.train_images / Math.max(1, value("batch_size"))) : null;
  const rows = [
    [t("Dataset"), dataset?.name || "–"],
    [t("Pictures to learn from"), dataset ? pictures(dataset.train_images) : "–"],
    [t("Model"), `YOLOv8${value("model_version")}`],
    [t("Epochs"), number(value("epochs"))],
    [t("Steps an epoch"), number(steps)],
    [t("Steps in all"), steps === null ? "–" : number(steps * value("epochs"))],
  ];
  put($("[data-summary]"), rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
  form.elements.name.placeholder = dataset ? t("Made from dataset and model") : "";
}

function showErrors(errors) {
  for (const place of $$("[data-error]")) {
    const own = errors.filter((item) => item.field === place.dataset.error);
    place.hidden = !own.length;
    place.textContent = own.map((item) => item.message).join(" ");
    const control = form.elements[place.dataset.error];
    if (control?.setAttribute) control.setAttribute("aria-invalid", own.length > 0);
  }
  const first = errors.find((item) => form.elements[item.field]?.focus);
  if (first) form.elements[first.field].focus();
}

function payload() {
  const data = { dataset_id: Number(select.value), model_version: form.elements.model_version.value };
  const name = form.elements.name.value.trim();
  if (name) data.name = name;
  for (const field of NUMBERS) if (form.elements[field].value !== "") data[field] = Number(form.elements[field].value);
  return data;
}

function clientErrors() {
  return NUMBERS.map((name) => form.elements[name]).filter((control) => !control.validity.valid)
    .map((control) => ({ field: control.name, message: control.validationMessage }));
}

async function submit(event) {
  event.preventDefault();
  const wrong = clientErrors();
  showErrors(wrong);
  if (wrong.length) return;
  const button = $("[data-submit]");
  const said = $("[data-form-failure]");
  button.disabled = true;
  said.hidden = true;
  try {
    const { training_id: id } = await post("/api/trainings", payload());
    window.location.assign(`/trainings/${id}`);
  } catch (error) {
    button.disabled = false;
    showErrors(error.errors);
    said.textContent = [error.title, error.detail].filter(Boolean).join(". ").replace("..", ".");
    said.hidden = false;
  }
}

for (const place of $$("[data-decimal]")) place.textContent = number(Number(place.dataset.decimal), 1);
form.addEventListener("input", summary);
select.addEventListener("change", show);
form.addEventListener("submit", submit);
start();
