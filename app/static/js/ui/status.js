/* States in words, with their icon and colour; progress in percent. */
import { h, icon, setDifferent } from "../lib/dom.js";
import { bytes, dateTime, number, significant } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

export const STATES = {
  pending: ["hourglass", () => t("Queued")],
  running: ["play-circle-fill", () => t("Running")],
  completed: ["check-circle-fill", () => t("Completed")],
  failed: ["x-octagon-fill", () => t("Failed")],
  cancelled: ["slash-circle", () => t("Stopped")],
  paused: ["pause-circle-fill", () => t("Paused")],
  stopping: ["stop-circle", () => t("Stopping")],
  pausing: ["pause-circle", () => t("Pausing")],
  validating: ["search", () => t("Checking")],
  valid: ["check-circle-fill", () => t("Ready")],
  invalid: ["x-octagon-fill", () => t("Not usable")],
  error: ["x-octagon-fill", () => t("Error")],
  warning: ["exclamation-triangle-fill", () => t("Warning")],
  info: ["info-circle", () => t("Info")],
};

export function badge(status) {
  const [symbol, word] = STATES[status] || ["question-circle", () => status];
  return h("span", { class: `badge-status status-${status}` }, icon(symbol), word());
}

/** The state with the request: a running training with a pending stop or pause shows it. */
export function stateOf(training) {
  if (training.status !== "running") return training.status;
  if (training.stop_requested) return "stopping";
  return training.pause_requested ? "pausing" : "running";
}

/** A model that learned nothing is no success, whatever its run's state. */
export const learnedNothing = ({ status, level }) => status === "completed" && level === "nothing";

export function trainingBadge(training) {
  if (!learnedNothing(training)) return badge(stateOf(training));
  const word = training.task === "classify" ? t("Completed, no better than chance") : t("Completed, detects nothing");
  return h("span", { class: "badge-status status-nothing" }, icon("exclamation-triangle-fill"), word);
}

/** Its device: a GPU by its own name, the CPU in words. */
export const deviceName = ({ device, devices }) =>
  (device === "cpu" ? "CPU" : device) || devices?.join(", ").replace("cpu", "CPU") || "";

/** The epoch in progress; before the first batch of a process, the next one. */
export function epochText(training) {
  const total = training.total_epochs || training.epochs;
  const epoch = training.progress?.epoch || training.current_epoch + 1;
  return t("Epoch {epoch} of {total}", {
    epoch: number(Math.min(total, Math.max(training.current_epoch, epoch))),
    total: number(total),
  });
}

/** The model in words: "YOLOv8n", or the architecture's own name. */
export const modelName = (training) => training.architecture || `YOLOv8${training.model_version}`;

const STARTS = {
  scratch: () => t("from scratch"),
  official: () => t("pretrained"),
  uploaded: () => t("trained elsewhere"),
};

/** Whether the weights were trained elsewhere: nothing is known about that training. */
export const isUploaded = ({ start }) => start?.kind === "uploaded";

/** The origin of the weights. @param {string | undefined} kind as used, or as requested */
export const startWord = (kind) => STARTS[kind]?.() ?? t("automatic");

/** The learning rate; an automatic optimizer chooses its own, which is in a note at the run's start. */
export function rateText({ learning_rate: rate, params, notes }) {
  if ((params?.optimizer ?? "auto") !== "auto") return significant(rate);
  return notes?.some(({ code }) => code === "optimizer_auto") ? `${significant(rate)} (${t("auto")})` : t("auto");
}

const PAUSES = {
  requested: ({ resumable }) =>
    resumable
      ? t("Paused by you. The run resumes from its last checkpoint.")
      : t("Paused by you. No epoch was completed yet, so the run starts over when resumed."),
  disk: () => t("Paused because the disk is nearly full. The run resumes automatically when there is enough space."),
  terminated: ({ resumable }) =>
    resumable
      ? t("Paused because the server was shut down. The run resumes from its last checkpoint.")
      : t("Paused because the server was shut down. No epoch was completed yet, so the run starts over."),
};

export const pauseText = (training) => (PAUSES[training.pause_reason] || PAUSES.requested)(training);

const WAITS = {
  device: ({ name }) =>
    name ? t("Waiting for the device, in use by “{name}”.", { name }) : t("Waiting for the device."),
  turn: ({ ahead }) => (ahead ? tn("Queued: {n} run ahead.", "Queued: {n} runs ahead.", ahead) : t("Queued.")),
  files: () => t("Waiting until its files are in the store of the workers."),
  schedule: ({ until }) => t("Scheduled to start at {time}.", { time: dateTime(until) }),
  disk: ({ free, needed }) =>
    needed
      ? t("Waiting for disk space: {free} free, {needed} needed.", { free: bytes(free), needed: bytes(needed) })
      : t("Waiting for disk space."),
};

/** What a pending training is waiting for. */
export function waitingText(training) {
  const { code, message, ...data } = training.waiting_for || {};
  return WAITS[code] ? WAITS[code](data) : message || t("The run starts automatically.");
}

/** The progress of a training, 0..1, as computed by the server. */
export function fraction(training) {
  if (training.status === "completed") return 1;
  return (
    training.progress?.fraction ??
    Math.min(1, (training.current_epoch || 0) / (training.total_epochs || training.epochs))
  );
}

/** Whether a run's wall time (s) was clearly longer than its training time (s). */
export const waitedBetween = (worked, wall) => Number.isFinite(wall) && wall - worked > Math.max(10, 0.05 * worked);

const STAGES = {
  queued: () => t("Waiting in the queue"),
  importing: () => t("Starting the training process"),
  weights: () => t("Loading the initial weights"),
  download: () => t("Downloading the initial weights"),
  dataset: () => t("Reading the dataset"),
  model: () => t("Building the model"),
  validating: () => t("Evaluating on the validation set"),
  saving: () => t("Saving the weights"),
};

/** The phase of a training outside of the epochs; null while batches run. */
export function stageText(training) {
  if (training.status === "pending") return STAGES.queued();
  const { stage } = training.progress || {};
  if (stage) return STAGES[stage] ? STAGES[stage]() : stage;
  return null;
}

/** A progress bar; `value` 0..1, or null if unknown. */
export function bar(value, className = "", label = t("Progress")) {
  const measured = value !== null && value !== undefined;
  const now = measured ? Math.round(value * 100) : undefined;
  return h(
    "div",
    {
      class: `bar ${measured ? "" : "is-open"}`,
      role: "progressbar",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": now,
    },
    h("div", { class: `bar-fill ${className}`, style: measured ? { width: `${value * 100}%` } : {} }),
  );
}

/** Update an existing bar. */
export function moveBar(element, value) {
  if (element.classList.contains("is-open")) element.classList.remove("is-open");
  setDifferent(element, { "aria-valuenow": Math.round(value * 100) });
  element.firstElementChild.style.width = `${value * 100}%`;
}
