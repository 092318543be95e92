/* The form of a new training; `?clone=5` fills it with the request of training 5. */
import { get, newKey, post } from "../lib/api.js";
import { fitting, listArchitectures, listDevices } from "../trainings/architectures.js";
import { classChips, pictures, splitBar } from "../datasets/common.js";
import { noDataset, TrainableDatasets, uncheckedLabels } from "../datasets/trainable.js";
import { $, failure, h, setChildren } from "../lib/dom.js";
import { Estimate } from "../trainings/estimate.js";
import { showErrors, showError } from "../trainings/field_errors.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { Narrowed } from "../ui/narrow.js";
import { ParameterForm } from "../trainings/parameters.js";
import { Presets } from "../trainings/presets.js";
import { StartChoice } from "../trainings/start_choice.js";
import { Unusual } from "../trainings/unusual.js";
import { fault } from "../ui/validity.js";
import { WeightsStatus } from "../trainings/weights_status.js";

const form = $("[data-form]");
const select = form.elements.dataset_id;
const NUMBERS = ["epochs", "batch_size", "img_size", "learning_rate", "priority"];
const query = new URLSearchParams(window.location.search);
const datasets = new TrainableDatasets();
let architectures = [];
let original = null; // the copied training
let copied = false; // the form has its values
let devicesListed = null;
let sent = { body: null, key: null };

const chosen = () => datasets.cached(select.value);
const narrowed = new Narrowed(
  select,
  $("[data-narrow=dataset]"),
  (text) => datasets.list(text),
  () => select.dispatchEvent(new Event("change", { bubbles: true })),
);
const start = new StartChoice(form);
const parameters = new ParameterForm($("[data-advanced]"), () => changed());
const estimate = new Estimate($("[data-estimate-answer]"), $("[data-estimate]"), () => {
  const { name, priority, start_not_before: time, ...matters } = payload();
  return matters;
});

const weights = new WeightsStatus(form, (late) => {
  if (late) propose();
  else changed();
});
const presets = new Presets(form, $("[data-presets]"), () => changed());
const unusual = new Unusual(
  form,
  () => {
    const { name, priority, start_not_before: time, start: from, ...matters } = payload();
    return matters;
  },
  () => changed(),
  () => clientErrors().length > 0,
);

async function begin() {
  try {
    original ??= query.has("clone") ? await get(`/api/trainings/${Number.parseInt(query.get("clone"), 10)}`) : null;
    const datasetId = original ? String(original.dataset_id) : query.get("dataset_id");
    const first = form.dataset.dataset; // as requested by the page's head; none for a copy
    let proposed = presets.load(first, start.kind);
    const listed = await datasets.list("");
    if (datasetId && !datasets.cached(datasetId)) listed.options.unshift(...(await datasets.one(datasetId)));
    setChildren($("[data-failure]"));
    form.hidden = !datasets.any;
    $("[data-none]").hidden = datasets.any;
    if (!datasets.any) {
      setChildren($("[data-none]"), noDataset());
      return;
    }
    narrowed.fill(listed, datasetId);
    if (original) $("[data-preset-panel]").hidden = true;
    if (select.value !== first) proposed = propose();
    show();
    await proposed; // what is seen first is answered first: one process answers everything
    await Promise.all([fillArchitectures(), original && devices()]);
    if (original) await fillFrom();
  } catch (error) {
    form.hidden = !datasets.any; // without any there is nothing to choose from
    setChildren($("[data-failure]"), failure(error, begin));
  }
}

async function fillArchitectures() {
  architectures = await listArchitectures();
  show();
}

/** Fill in everything from the original. */
async function fillFrom() {
  const { model_version: version, architecture, params, name } = original;
  $("[data-copied]").hidden = false;
  setChildren($("[data-copied-from]"), h("a", { href: `/trainings/${original.id}` }, name));
  for (const field of ["epochs", "batch_size", "img_size", "priority"])
    form.elements[field].value = original[field] ?? "";
  form.elements.learning_rate.value = hasChosenRate() ? original.learning_rate : "";
  if (architecture) form.elements.architecture.value = architecture;
  else form.elements.model_version.value = version;
  setDevice(params.device);
  start.set(original.start);
  await parameters.set(params);
  copied = true;
  show();
}

const reveal = (field) => parameters.reveal(field);
/** Whether the user set the original's learning rate, which the optimizer "auto" chooses itself. */
const hasChosenRate = () => Boolean(original) && (original.params.optimizer ?? "auto") !== "auto";

function setDevice(device) {
  const control = form.elements.device;
  if (!device || device === "auto") return;
  if (![...control.options].some(({ value }) => value === device))
    control.append(h("option", { value: device }, device));
  control.value = device;
  $("[data-when]").open = true;
}

function show() {
  const dataset = chosen();
  const container = $("[data-chosen]");
  container.hidden = !dataset;
  if (dataset) {
    setChildren(
      container,
      classChips(dataset.classes, 10),
      splitBar(dataset),
      dataset.needs_review && uncheckedLabels(dataset),
    );
    fitting(form.elements.architecture, architectures, dataset.task);
  }
  changed();
}

/** Load the presets for the selection; a copy has the values of its original. */
async function propose() {
  if (!original) await presets.load(select.value, start.kind);
}

/** Fill the choice of devices, once: when it is opened, or for a copy. */
const devices = () => (devicesListed ??= listDevices(form.elements.device));

const SUFFIXES = { segment: "-seg", pose: "-pose", obb: "-obb", classify: "-cls" };

/** The model, by its architecture's name. */
const model = () =>
  form.elements.architecture.value || `yolov8${form.elements.model_version.value}${SUFFIXES[chosen()?.task] || ""}`;

/** The initial weights, in words. */
function startsFrom() {
  if (start.kind === "training") return t("A previous run");
  if (start.kind === "scratch" || weights.unavailable) return t("From scratch");
  return weights.state && weights.state.state !== "checking" ? t("Pretrained weights") : "–";
}

/** The task of the training: the architecture's, otherwise the dataset's. */
const task = () =>
  architectures.find(({ name }) => name === form.elements.architecture.value)?.task || chosen()?.task || null;

function changed() {
  $("[data-models]").classList.toggle("is-replaced", Boolean(form.elements.architecture.value));
  parameters.forTask(task());
  estimate.outdated();
  if (chosen() && (original ? copied : presets.answered)) weights.show(model()); // not of the model it starts with
  presets.mark();
  unusual.soon();
  summary();
}

/** Of the training split: the parameter `fraction` leaves some out. */
const imagesUsed = (images, { fraction }) =>
  fraction > 0 && fraction < 1 ? Math.max(1, Math.round(images * fraction)) : images;

function summary() {
  const dataset = chosen();
  const value = (name) => form.elements[name].value;
  const isFilled = (name) => !fault(form.elements[name]) && value(name) !== "";
  const images = dataset && imagesUsed(dataset.train_images, parameters.values());
  const steps = dataset && isFilled("batch_size") ? Math.ceil(images / value("batch_size")) : null;
  const rows = [
    [t("Dataset"), dataset?.name || "–"],
    [t("Training images"), dataset ? pictures(images) : "–"],
    [t("Model"), value("architecture") || `YOLOv8${value("model_version")}`],
    [t("Initial weights"), startsFrom()],
    [t("Epochs"), isFilled("epochs") ? number(value("epochs")) : "–"],
    [t("Iterations per epoch"), number(steps)],
    [t("Total iterations"), steps === null || !isFilled("epochs") ? "–" : number(steps * value("epochs"))],
  ];
  setChildren(
    $("[data-summary]"),
    rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]),
  );
  form.elements.name.placeholder = dataset
    ? original
      ? t("Default: name of the cloned run, numbered")
      : t("Default: dataset and model")
    : "";
}

/** The request's body; in a copy, unchanged values are included, too, so that they replace the original's. */
function payload() {
  const { elements } = form;
  const data = { dataset_id: Number(select.value) };
  if (elements.architecture.value) data.architecture = elements.architecture.value;
  else data.model_version = elements.model_version.value;
  const name = elements.name.value.trim();
  if (name) data.name = name;
  for (const field of NUMBERS) if (elements[field].value !== "") data[field] = Number(elements[field].value);
  if (!data.priority && !original) delete data.priority;
  const from = start.value() ?? (original ? "auto" : null);
  if (from) data.start = from;
  if (elements.start_not_before.value) data.start_not_before = new Date(elements.start_not_before.value).toISOString();
  const params = parameters.values();
  if (elements.device.value) params.device = elements.device.value;
  if (Object.keys(params).length) data.params = params;
  return data;
}

/** The address and the body of the request. A copy whose learning rate was cleared is sent as a new training, since a
 * copy would keep it.
 *  @returns {[string, object]} */
function request() {
  const data = payload();
  if (!original || (hasChosenRate() && data.learning_rate === undefined)) return ["/api/trainings", data];
  const removed = Object.keys(original.params).filter((name) => !(name in (data.params || {})));
  return [
    `/api/trainings/${original.id}/clone`,
    { ...data, params: { ...data.params, ...Object.fromEntries(removed.map((name) => [name, null])) } },
  ];
}

function clientErrors() {
  const fields = [...NUMBERS, "start_not_before"]
    .map((name) => ({ field: name, message: fault(form.elements[name]) }))
    .filter(({ message }) => message);
  const missing =
    start.kind === "official" && weights.unavailable ? [{ field: "start", message: weights.state.message }] : [];
  return [...fields, ...missing, ...start.errors(), ...parameters.errors()];
}

async function submit(event) {
  event.preventDefault();
  const wrong = clientErrors();
  showErrors(form, wrong, reveal);
  if (wrong.length) return;
  const button = $("[data-submit]");
  const notice = $("[data-form-failure]");
  button.disabled = true;
  notice.hidden = true;
  try {
    const [address, data] = request();
    const body = JSON.stringify([address, data]);
    if (body !== sent.body) sent = { body, key: newKey() }; // the same request again returns the same training
    const { training_id: id } = await post(address, data, sent.key);
    sent = { body: null, key: null };
    window.location.assign(`/trainings/${id}`);
  } catch (error) {
    button.disabled = false;
    showErrors(form, error.errors || [], reveal);
    notice.textContent = [error.title, error.detail].filter(Boolean).join(". ").replace("..", ".");
    notice.hidden = false;
  }
}

form.addEventListener("input", changed);
select.addEventListener("change", () => {
  show();
  propose();
});
for (const radio of form.elements.start) radio.addEventListener("change", propose);
$("[data-when]").addEventListener("toggle", devices);
$("[data-estimate-answer]").addEventListener("estimated", propose); // the cards show their time
for (const radio of form.elements.model_version)
  radio.addEventListener("change", () => {
    form.elements.architecture.value = "";
    changed();
  });
$("[data-estimate-answer]").addEventListener("batch", ({ detail }) => {
  form.elements.batch_size.value = detail;
  changed();
});
form.addEventListener("change", ({ target }) => {
  if (target.matches("input")) showError(target);
});
form.addEventListener("submit", submit);
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) $("[data-submit]").disabled = false;
});
begin();
