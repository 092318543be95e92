/* What a training was asked to do, as pairs of name and value. */
import { h } from "./dom.js";
import { dateTime, number, significant } from "./format.js";
import { t } from "./i18n.js";
import { modelName } from "./status.js";

const WEIGHTS = { official: () => t("official"), scratch: () => t("from scratch") };

/** Where its weights began; `start` is what was asked, `weights` what came of it. */
function startText({ start = {}, weights }) {
  if (start.kind === "training") {
    const link = h("a", { href: `/trainings/${start.training_id}` }, t("training {id}", { id: start.training_id }));
    return h("span", {}, link, ` · ${checkpointName(start.checkpoint)}`);
  }
  return WEIGHTS[weights]?.() || { scratch: t("from scratch"), official: t("official") }[start.kind] || t("automatic");
}

export const checkpointName = (name) => ({ best: t("best epoch"), last: t("last epoch") }[name] || t("epoch {epoch}", { epoch: name }));

/** `dt` and `dd` of each. */
export function parameterRows(training) {
  const extensions = (training.extensions || []).map((item) => t("from {epoch} to {total}", { epoch: number(item.from_epoch), total: number(item.epochs) }));
  const rows = [
    [t("Model"), modelName(training)],
    [t("Start weights"), startText(training)],
    training.cloned_from && [t("Copied from"), h("a", { href: `/trainings/${training.cloned_from}` }, t("training {id}", { id: training.cloned_from }))],
    [t("Dataset"), training.dataset_name],
    [t("Epochs"), number(training.epochs)],
    extensions.length && [t("Epochs added"), extensions.join(", ")],
    [t("Batch size"), training.batch_now && training.batch_now !== training.batch_size ? t("{batch}, reduced to {now}", { batch: number(training.batch_size), now: number(training.batch_now) }) : number(training.batch_size)],
    [t("Image size (px)"), number(training.img_size)],
    [t("Learning rate"), significant(training.learning_rate)],
    [t("Device"), training.device || training.devices?.join(", ") || "–"],
    training.priority ? [t("Priority"), number(training.priority)] : null,
    training.start_not_before && [t("Not before"), dateTime(training.start_not_before)],
    [t("Created"), dateTime(training.created_at)],
    [t("Started"), dateTime(training.start_time)],
    [t("Ended"), dateTime(training.end_time)],
    ...Object.entries(training.params || {}).map(([name, value]) => [h("code", {}, name), typeof value === "string" ? value : JSON.stringify(value)]),
  ];
  return rows.filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}
