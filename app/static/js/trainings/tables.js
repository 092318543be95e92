/* Tables of trainings, used by several pages. */
import { h, icon, longName } from "../lib/dom.js";
import { ago, dateTime, duration, fixed, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { SmallCurve } from "../charts/small_curve.js";
import { bar, fraction, isUploaded, modelName, trainingBadge, waitedBetween } from "../ui/status.js";
import { sharedText } from "../ui/sharing.js";

const cell = (label, content, className = "number") => h("td", { "data-label": label, class: className }, content);

/** The epochs done; weights that were trained elsewhere have no known number of epochs. */
export function epochs(training) {
  if (isUploaded(training)) return ["–"];
  const total = training.total_epochs || training.epochs;
  const advances = ["running", "paused"].includes(training.status);
  return [
    `${number(training.current_epoch)} / ${number(total)}`,
    advances && bar(fraction(training), training.status === "paused" ? "is-paused" : "", percent(fraction(training))),
  ].filter(Boolean);
}

/** The mAP50; for a classification, which has none, the top-1 accuracy. */
function measure({ task, best }) {
  const top1 = task === "classify" ? best?.parts?.["metrics/accuracy_top1"] : null;
  return Number.isFinite(top1)
    ? h("span", { title: t("Top-1 accuracy") }, h("span", { class: "under" }, "top-1 "), fixed(top1))
    : fixed(best?.map50);
}

function curve({ spark, best, total_epochs: total, epochs: planned }) {
  if (!spark?.length) return h("span", { class: "quiet" }, "–");
  const label = t("mAP50 by epoch; best {value}", { value: fixed(best?.map50) });
  const small = new SmallCurve({ className: "sparkline", label, end: true });
  small.set(
    spark.map(([x, y]) => ({ x, y })),
    { x: [1, Math.max(2, total || planned)], y: [0, 1] },
  );
  return small.element;
}

/** The training time; with the wall time if that differs. */
function worked({ training_seconds: seconds, duration: wall }) {
  const more = waitedBetween(seconds, wall) ? t("{time} from start to end", { time: duration(wall) }) : null;
  return h("span", { title: more }, duration(seconds || null));
}

// name: {title, style of the head, sort keys (the first on a first click), cell(training)}
const COLUMNS = {
  name: {
    title: () => t("Training run"),
    sort: ["name", "-name"],
    cell: (training, { compact }) =>
      h(
        "td",
        { class: "names" },
        h(
          "a",
          { class: "name-link", href: `/trainings/${training.id}`, title: training.name },
          longName(training.name),
        ),
        compact &&
          h(
            "span",
            { class: "name-link under", title: training.dataset_name },
            h(
              "span",
              { class: "long-name" },
              h("span", { class: "long-name-start" }, training.dataset_name),
              h("span", {}, ` · ${modelName(training)}`),
            ),
          ),
      ),
  },
  state: { title: () => t("Status"), sort: ["status"], cell: (training) => h("td", {}, trainingBadge(training)) },
  dataset: {
    title: () => t("Dataset"),
    sort: ["dataset"],
    cell: (training) =>
      h(
        "td",
        { class: "wide names is-second" },
        h(
          "a",
          { class: "name-link under", href: `/datasets/${training.dataset_id}`, title: training.dataset_name },
          longName(training.dataset_name),
        ),
      ),
  },
  model: {
    title: () => t("Model"),
    className: "roomy",
    sort: ["model"],
    cell: (training) => h("td", { class: "nowrap roomy" }, modelName(training)),
  },
  epochs: {
    title: () => t("Epochs"),
    className: "number",
    sort: ["-epochs"],
    cell: (training) => cell(t("Epochs"), epochs(training)),
  },
  curve: {
    title: () => t("Curve"),
    className: "curve",
    cell: (training) => h("td", { class: "curve" }, curve(training)),
  },
  map50: {
    title: () => "mAP50",
    hint: () => t("best epoch"),
    className: "number",
    sort: ["-map50", "map50"],
    cell: (training) => cell("mAP50", measure(training), "number strong"),
  },
  map95: {
    title: () => "mAP50-95",
    hint: () => t("best epoch"),
    className: "number roomy",
    sort: ["-map95"],
    cell: (training) => cell("mAP50-95", fixed(training.best?.map95), "number roomy"),
  },
  duration: {
    title: () => t("Training time"),
    className: "number roomy spare",
    cell: (training) => cell(t("Training time"), worked(training), "number roomy spare"),
  },
  created: {
    title: () => t("Created"),
    className: "created",
    sort: ["-created_at", "created_at"],
    cell: (training) =>
      h(
        "td",
        { class: "nowrap under created", title: dateTime(training.created_at) },
        ago(training.created_at),
        training.created_by && ` · ${training.created_by.name}`,
        sharedText(training),
      ),
  },
};

const COMPACT = ["name", "state", "epochs", "map50", "created"];
const FULL = ["name", "state", "dataset", "model", "epochs", "curve", "map50", "map95", "duration", "created"];

function columns({ compact = false, withDataset = true, curves = false }) {
  const names = compact
    ? COMPACT
    : FULL.filter((name) => (withDataset || name !== "dataset") && (curves || name !== "curve"));
  return compact && curves ? [...names.slice(0, 3), "curve", ...names.slice(3)] : names;
}

/** The head of a column; with `sort` {by, go(key)} it sorts, and shows the order. */
function columnHead({ title, hint, className, sort: keys }, sort) {
  const about = hint?.();
  if (!sort || !keys) return h("th", { scope: "col", class: className, title: about }, title());
  const position = keys.indexOf(sort.by);
  const direction = position < 0 ? null : sort.by.startsWith("-") ? "descending" : "ascending";
  const next = keys[(position + 1) % keys.length];
  return h(
    "th",
    { scope: "col", class: className, title: about, "aria-sort": direction },
    h(
      "button",
      { class: "sort", type: "button", onclick: () => sort.go(next) },
      title(),
      direction && icon(direction === "descending" ? "arrow-down-short" : "arrow-up-short"),
    ),
  );
}

/** A table of trainings. Options: `withDataset` false if the page is about one dataset, `compact` if there is little
 *  room, `curves` if the rows have their `spark`, `actions(training)` for buttons at the end of each row, `sort` {by,
 *  go(key)}, `selection` (see selection.js) for a checkbox before each row. */
export function trainingTable(trainings, options = {}) {
  const { compact, actions, selection, sort } = options;
  const heads = columns(options).map((name) => columnHead(COLUMNS[name], sort));
  return h(
    "div",
    { class: "table-wrap" },
    h(
      "table",
      { class: `list is-cards ${compact ? "is-compact" : ""}` },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          selection && h("th", { scope: "col", class: "pick" }, selection.boxForAll(trainings)),
          heads,
          actions && h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("Actions"))),
        ),
      ),
      h(
        "tbody",
        {},
        trainings.map((training) => trainingRow(training, options)),
      ),
    ),
  );
}

/** One row, with the options of its table. */
export function trainingRow(training, options = {}) {
  const { actions, selection } = options;
  return h(
    "tr",
    { "data-training": training.id, class: selection?.has(training.id) ? "is-chosen" : null },
    selection && h("td", { class: "pick" }, selection.box(training)),
    columns(options).map((name) => COLUMNS[name].cell(training, options)),
    actions && h("td", { class: "wide" }, h("div", { class: "row-actions" }, actions(training))),
  );
}
