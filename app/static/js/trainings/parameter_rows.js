/* The settings of a training, as pairs of name and value; those that differ from the default are emphasized. */
import { get } from "../lib/api.js";
import { h, icon } from "../lib/dom.js";
import { dateTime, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { valueText } from "./parameters.js";
import { deviceName, isUploaded, modelName, rateText, startWord } from "../ui/status.js";

/** The initial weights; `start`: as requested, `weights`: as used. */
function startText({ start, weights }) {
  if (start?.kind === "training") {
    const link = h("a", { href: `/trainings/${start.training_id}` }, t("run {id}", { id: start.training_id }));
    return h("span", {}, link, ` · ${checkpointName(start.checkpoint)}`);
  }
  return startWord(weights || start?.kind);
}

export const checkpointName = (name) =>
  ({ best: t("best epoch"), last: t("last epoch") })[name] || t("epoch {epoch}", { epoch: name });

/* Beside the name: an explanation for beginners. */
const ABOUT = {
  epochs: () => t("Number of passes over the training set."),
  batch: () => t("Images per iteration. A larger batch is more stable but needs more memory."),
  size: () => t("Images are resized to this size. Larger sizes detect smaller objects but train more slowly."),
  rate: () => t("Initial learning rate: the size of each weight update."),
};

/** The known values of weights that were trained elsewhere. */
function uploadedRows(training) {
  return [
    [t("Model"), modelName(training)],
    [t("Weights"), `${startWord("uploaded")} · ${training.start.file}`],
    [t("Dataset for verification"), training.dataset_name],
    [t("Image size (px)"), number(training.img_size)],
    [t("Created"), dateTime(training.created_at)],
  ];
}

/** The values that every training has. */
function mainRows(training) {
  if (isUploaded(training)) return uploadedRows(training);
  const extensions = (training.extensions || []).map((item) =>
    t("from {epoch} to {total}", { epoch: number(item.from_epoch), total: number(item.epochs) }),
  );
  return [
    [t("Model"), modelName(training)],
    [t("Initial weights"), startText(training)],
    training.cloned_from && [
      t("Cloned from"),
      h("a", { href: `/trainings/${training.cloned_from}` }, t("run {id}", { id: training.cloned_from })),
    ],
    [t("Dataset"), training.dataset_name],
    [t("Epochs"), number(training.epochs), ABOUT.epochs()],
    extensions.length && [t("Epochs added"), extensions.join(", ")],
    [
      t("Batch size"),
      training.batch_now && training.batch_now !== training.batch_size
        ? t("{batch}, reduced to {now}", { batch: number(training.batch_size), now: number(training.batch_now) })
        : number(training.batch_size),
      ABOUT.batch(),
    ],
    [t("Image size (px)"), number(training.img_size), ABOUT.size()],
    [t("Learning rate"), rateText(training), ABOUT.rate()],
    [t("Device"), deviceName(training) || "–"],
    training.priority ? [t("Priority"), number(training.priority)] : null,
    training.start_not_before && [t("Earliest start"), dateTime(training.start_not_before)],
    [t("Created"), dateTime(training.created_at)],
    [t("Started"), dateTime(training.start_time)],
    [t("Finished"), dateTime(training.end_time)],
  ].filter(Boolean);
}

const pair = ([name, value, about]) => [h("dt", {}, about ? explained(name, about) : name), h("dd", {}, value)];

/** A name whose explanation opens on hover, on focus and on a tap. */
function explained(name, about) {
  return h(
    "span",
    {
      class: "explained",
      tabindex: 0,
      role: "note",
      "aria-label": `${typeof name === "string" ? name : name.textContent}: ${about}`,
    },
    name,
    h("span", { class: "explanation", "aria-hidden": "true" }, about),
  );
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class ParametersView {
  constructor(container) {
    this.container = container;
    this.specs = null;
    this.rendered = null;
  }

  show(training) {
    const rendered = JSON.stringify([
      mainRows(training).map(([name, value]) => [name, String(value.textContent ?? value)]),
      training.params,
      this.specs?.size,
    ]);
    if (rendered === this.rendered) return;
    this.rendered = rendered;
    const changed = Object.entries(training.params || {}).filter(
      ([name, value]) => !same(value, this.specs?.get(name)?.default),
    );
    this.container.replaceChildren(
      h("dl", { class: "pairs" }, mainRows(training).flatMap(pair)),
      changed.length
        ? h("h3", { class: "pairs-head" }, tn("{n} non-default value", "{n} non-default values", changed.length))
        : "",
      h(
        "dl",
        { class: "pairs is-changed" },
        changed.flatMap(([name, value]) => this.changedPair(name, value)),
      ),
      this.rest(
        training,
        changed.map(([name]) => name),
      ),
    );
    if (!this.specs && !this.asking) this.ask(training);
  }

  /** Load documentation and defaults, once. Without them only the values are shown. */
  async ask(training) {
    this.asking = true;
    try {
      const { parameters } = await get("/api/training-parameters");
      this.specs = new Map(parameters.map((spec) => [spec.name, spec]));
      this.show(training);
    } catch {
      /* the page works without them */
    }
  }

  changedPair(name, value) {
    const spec = this.specs?.get(name);
    const code = h("code", {}, name);
    return [
      h("dt", {}, icon("pencil-square"), " ", spec ? explained(code, spec.description) : code),
      h(
        "dd",
        {},
        h("strong", {}, valueText(value)),
        spec && h("span", { class: "under" }, ` ${t("default: {value}", { value: valueText(spec.default) })}`),
      ),
    ];
  }

  rest(training, changed) {
    if (!this.specs || isUploaded(training)) return "";
    const available = [...this.specs.values()].filter(
      ({ name, tasks }) => !changed.includes(name) && (!tasks.length || tasks.includes(training.task)),
    );
    return h(
      "details",
      { class: "pairs-rest" },
      h("summary", {}, tn("{n} default value", "{n} default values", available.length)),
      h(
        "dl",
        { class: "pairs" },
        available.flatMap((spec) => [
          h("dt", {}, explained(h("code", {}, spec.name), spec.description)),
          h("dd", {}, valueText(spec.default)),
        ]),
      ),
    );
  }
}
