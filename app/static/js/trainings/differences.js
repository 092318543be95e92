/* The common and the different settings of two or more trainings, and their best values. */
import { h, icon, longName } from "../lib/dom.js";
import { dateTime, duration, fixed, isNumber, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { valueText } from "./parameters.js";
import { deviceName, isUploaded, modelName, rateText, startWord, trainingBadge, waitedBetween } from "../ui/status.js";

const lowest = (values) =>
  values.reduce(
    (least, value) => (value !== null && value !== undefined && (least === null || value < least) ? value : least),
    null,
  );
/** The top-1 accuracy of a classification. */
const accuracy = ({ task, best }) => (task === "classify" ? best?.parts?.["metrics/accuracy_top1"] : null);
const mean = (values) => {
  const numbers = values.filter(isNumber);
  return numbers.length ? numbers.reduce((sum, value) => sum + value, 0) / numbers.length : null;
};

// [title, value(run), text(value), which is best: 1 the highest, -1 the lowest, 0 none; "loss": of models with the same
// loss alone, "waited": where a run waited in between, "accuracy": where a run has one]
/** @type {[string | (() => string), (run: any) => any, (value: any) => string, number, string?][]} */
const VALUES = [
  ["mAP50", ({ training }) => training.best?.map50, (value) => fixed(value), 1],
  ["mAP50-95", ({ training }) => training.best?.map95, (value) => fixed(value), 1],
  [() => t("Top-1 accuracy"), ({ training }) => accuracy(training), (value) => fixed(value), 1, "accuracy"],
  [() => t("Precision"), ({ training }) => training.best?.precision, (value) => fixed(value), 1],
  [() => t("Recall"), ({ training }) => training.best?.recall, (value) => fixed(value), 1],
  [() => t("Best epoch"), ({ training }) => training.best?.epoch, (value) => number(value), 0],
  [() => t("Lowest validation loss"), ({ curves }) => lowest(curves.val_loss), (value) => fixed(value), -1, "loss"],
  [() => t("Lowest training loss"), ({ curves }) => lowest(curves.loss), (value) => fixed(value), -1, "loss"],
  [
    () => t("Epochs"),
    ({ training }) => (isUploaded(training) ? null : training.current_epoch),
    (value) => number(value),
    0,
  ],
  [
    () => t("Time per epoch"),
    ({ curves }) => mean(curves.seconds),
    (value) => (value === null ? "–" : `${fixed(value, 1)} s`),
    -1,
  ],
  [() => t("Training time"), ({ training }) => training.training_seconds, (value) => duration(value || null), 0],
  [() => t("From start to end"), ({ training }) => training.duration, (value) => duration(value), 0, "waited"],
];

/** The position of the best value, -1 if none is better than the rest. */
export function bestOf(values, sign) {
  const numbers = values.filter(isNumber);
  if (!sign || numbers.length < 2 || numbers.every((value) => value === numbers[0])) return -1;
  return values.indexOf(sign > 0 ? Math.max(...numbers) : Math.min(...numbers));
}

const head = (runs, swatch) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("Value"))),
      runs.map((run) =>
        h(
          "th",
          { scope: "col", class: "number", title: run.name },
          h("span", { class: "run-head" }, swatch(run), h("span", { class: "run-head-name" }, longName(run.name))),
        ),
      ),
    ),
  );

const DATA = ["task", "dataset", "version"]; // what the metrics themselves depend on

/** Why some values can't be ranked, as a sentence; null if all can. `differs`: from the API. */
export function doubt(differs) {
  const texts = {
    task: () => t("The runs have different tasks, so their metrics can't be compared."),
    dataset: () => t("The runs used different datasets: their metrics come from different validation images."),
    version: () => t("The runs used different versions of the dataset: their validation images may differ."),
    model: () => t("The models have different loss functions: their losses can't be compared."),
  };
  const reasons = differs
    .filter((code) => code !== "model" || !differs.some((other) => DATA.includes(other)))
    .map((code) => texts[code]?.())
    .filter(Boolean);
  if (!reasons.length) return null;
  return [
    ...reasons,
    differs.some((code) => DATA.includes(code)) ? t("No value gets a trophy.") : t("No loss gets a trophy."),
  ].join(" ");
}

/** The rows with a value for at least one of these runs. */
export function valuesOf(runs) {
  const waited = runs.some(({ training }) => waitedBetween(training.training_seconds, training.duration));
  const classified = runs.some(({ training }) => isNumber(accuracy(training)));
  return VALUES.filter(([, , , , kind]) => (kind !== "waited" || waited) && (kind !== "accuracy" || classified));
}

/** Best values, a column for each training. Nothing is called best across different data. */
export function valueTable(runs, differs, swatch) {
  const ranked = !differs.some((code) => DATA.includes(code));
  const rows = valuesOf(runs).map(([title, value, text, sign, kind]) => {
    const values = runs.map(value);
    const best = ranked && !(kind === "loss" && differs.includes("model")) ? bestOf(values, sign) : -1;
    const texts = values.map(text);
    const equal = texts.filter((other) => other === texts[best]).length;
    // most have it, so it is not marked
    const marked = (index) => best >= 0 && texts[index] === texts[best] && equal * 2 <= texts.length;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, typeof title === "string" ? title : title()),
      texts.map((printed, index) =>
        h(
          "td",
          { class: `number ${marked(index) ? "is-best" : ""}` },
          marked(index) && [icon("trophy-fill"), h("span", { class: "visually-hidden" }, t("best"))],
          printed,
        ),
      ),
    );
  });
  const states = h(
    "tr",
    {},
    h("th", { scope: "row" }, t("Status")),
    runs.map(({ training }) => h("td", { class: "number" }, trainingBadge(training))),
  );
  return h(
    "div",
    { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Best values") },
    h("table", { class: "list compare-table" }, head(runs, swatch), h("tbody", {}, states, rows)),
  );
}

const startText = ({ start, weights }) => {
  if (start?.kind === "training")
    return t("run {id}, {checkpoint}", { id: start.training_id, checkpoint: start.checkpoint });
  return startWord(weights || start?.kind);
};

/** Unknown for weights that were trained elsewhere. */
const ours = (value) => (training) => (isUploaded(training) ? t("unknown") : value(training));

// [title, value(training)]
const SETTINGS = [
  [() => t("Dataset"), ({ dataset_name: name }) => name],
  [() => t("Dataset version"), ({ dataset_revision: hash }) => (hash ? hash.slice(0, 10) : "–")],
  [() => t("Model"), modelName],
  [() => t("Initial weights"), startText],
  [() => t("Epochs"), ours(({ epochs, total_epochs: total }) => number(total || epochs))],
  [
    () => t("Batch size"),
    ours(({ batch_size: size, batch_now: now }) =>
      now && now !== size ? `${number(size)} → ${number(now)}` : number(size),
    ),
  ],
  [() => t("Image size (px)"), ({ img_size: size }) => number(size)],
  [() => t("Learning rate"), ours(rateText)],
  [() => t("Device"), (training) => deviceName(training) || "–"],
  [() => t("Created"), ({ created_at: time }) => dateTime(time)],
];
const ALWAYS_DIFFER = 1; // the last one: the time of creation is not a setting

/** @typedef {{title: string, values: string[], counts: boolean, code?: boolean, keys?: string[], differs?: boolean}}
 *  Setting */

/** All settings.
 *  @returns {Setting[]} */
export function settings(trainings, defaults) {
  /** @type {Setting[]} */
  const always = SETTINGS.map(([title, value], index) => ({
    title: title(),
    values: trainings.map(value),
    counts: index < SETTINGS.length - ALWAYS_DIFFER,
  }));
  const params = Object.entries(defaults).map(([name, usual]) => ({
    title: name,
    code: true,
    counts: true,
    values: trainings.map(
      ours(({ params: set }) =>
        name in set ? valueText(set[name]) : t("default: {value}", { value: valueText(usual) }),
      ),
    ),
    keys: trainings.map(ours(({ params: set }) => JSON.stringify(name in set ? set[name] : usual))),
  }));
  return [...always, ...params].map((row) => ({
    ...row,
    differs: row.counts && new Set(row.keys || row.values).size > 1,
  }));
}

/** The table of settings: the differences, or all of them. */
export function settingsTable(runs, defaults, all, swatch) {
  const rows = settings(
    runs.map(({ training }) => training),
    defaults,
  ).filter(({ differs }) => all || differs);
  if (!rows.length)
    return h("p", { class: "panel-empty" }, t("These runs have the same settings and the same dataset."));
  return h(
    "div",
    { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Settings") },
    h(
      "table",
      { class: "list compare-table" },
      head(runs, swatch),
      h(
        "tbody",
        {},
        rows.map(({ title, code, values, differs }) =>
          h(
            "tr",
            { class: differs && all ? "is-different" : null },
            h("th", { scope: "row" }, code ? h("code", {}, title) : title),
            values.map((value) => h("td", { class: "number", title: value }, value)),
          ),
        ),
      ),
    ),
  );
}
