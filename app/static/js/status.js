/* States in words, with their icon and colour; progress in percent. */
import { h, icon } from "./dom.js";
import { t } from "./i18n.js";

const STATES = {
  pending: ["hourglass", () => t("Waiting")],
  running: ["play-circle-fill", () => t("Running")],
  completed: ["check-circle-fill", () => t("Completed")],
  failed: ["x-octagon-fill", () => t("Failed")],
  cancelled: ["slash-circle", () => t("Cancelled")],
  stopping: ["stop-circle", () => t("Stopping")],
  validating: ["search", () => t("Checking")],
  valid: ["check-circle-fill", () => t("Ready")],
  invalid: ["x-octagon-fill", () => t("Not usable")],
  error: ["x-octagon-fill", () => t("Error")],
  warning: ["exclamation-triangle-fill", () => t("Warning")],
  info: ["info-circle", () => t("Note")],
};

export function badge(status) {
  const [symbol, word] = STATES[status] || ["question-circle", () => status];
  return h("span", { class: `badge-status status-${status === "stopping" ? "cancelled" : status}` }, icon(symbol), word());
}

/** A training's badge: one that was asked to stop says so. */
export const trainingBadge = (training) => badge(training.status === "running" && training.stop_requested ? "stopping" : training.status);

/** How far a training is, 0..1: its epochs and the batches of the present one. */
export function fraction(training) {
  if (training.status === "completed") return 1;
  const total = training.total_epochs || training.epochs;
  const { epoch, batch, batches } = training.progress || {};
  const within = epoch && batches ? (epoch - 1 + batch / batches) / total : 0;
  return Math.min(1, Math.max((training.current_epoch || 0) / total, within));
}

const STAGES = {
  queued: () => t("Waiting for its turn"),
  importing: () => t("Starting the training process"),
  weights: () => t("Getting the start weights"),
  download: () => t("Downloading the start weights"),
  dataset: () => t("Reading the dataset"),
  model: () => t("Building the model"),
  validating: () => t("Measuring on the validation pictures"),
  saving: () => t("Saving the weights"),
};

/** The phase that a training is in when it is not within an epoch; null while batches run. */
export function stageText(training) {
  if (training.status === "pending") return STAGES.queued();
  const { stage } = training.progress || {};
  if (stage) return STAGES[stage] ? STAGES[stage]() : stage;
  return null;
}

/** A progress bar; `value` 0..1, or null when nobody knows. */
export function bar(value, look = "", label = t("Progress")) {
  const known = value !== null && value !== undefined;
  const now = known ? Math.round(value * 100) : undefined;
  return h("div", { class: `bar ${known ? "" : "is-open"}`, role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": now },
    h("div", { class: `bar-fill ${look}`, style: known ? { width: `${value * 100}%` } : {} }));
}

/** Move a bar that stands. */
export function moveBar(element, value) {
  element.classList.remove("is-open");
  element.setAttribute("aria-valuenow", Math.round(value * 100));
  element.firstElementChild.style.width = `${value * 100}%`;
}
