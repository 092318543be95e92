/* The actions on a training: their buttons and dialogs. The server decides which are allowed now. */
import { actionsOf, mayChange } from "../lib/access.js";
import { newKey, patch, post, remove } from "../lib/api.js";
import { $, ask, button, confirmed, h, icon, toast } from "../lib/dom.js";
import { number, significant } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { share, shareHelp, shareLabel } from "../ui/sharing.js";
import { fault } from "../ui/validity.js";

const failed = (error) => toast(error.detail || error.title || String(error), "failed");

/** Do it, then `changed(answer)`; a failure is shown. Resolves to the response, null when it failed. */
async function doing(request, changed) {
  try {
    const answer = await request();
    await changed?.(answer);
    return answer;
  } catch (error) {
    failed(error);
    return null;
  }
}

const act = (training, name, body) => post(`/api/trainings/${training.id}/${name}`, body, newKey());

const simple = (name) => (training, changed) => doing(() => act(training, name), changed);

async function stop(training, changed) {
  const text = training.current_epoch ? t("The weights of the best epoch so far are kept.") : t("No weights yet.");
  if (await confirmed({ title: t("Stop this run?"), text, action: t("Stop run") }))
    await doing(() => act(training, "stop"), changed);
}

/** @param {any} training @param {(answer: any) => any} changed @param {{lastRate?: number, epochs?: number}} known */
async function extend(training, changed, { lastRate, epochs } = {}) {
  const body = await ask({
    title: t("Add epochs"),
    action: t("Add epochs"),
    ...extendForm(training, lastRate, epochs),
  });
  if (body)
    await doing(
      () => act(training, "extend", body),
      (answer) => {
        toast(answer.message, "success");
        return changed(answer);
      },
    );
}

/** The number of epochs, and the schedule of the learning rate. */
function extendForm(training, lastRate, epochs) {
  const epoch = training.current_epoch;
  const total = h("output", { class: "quiet" });
  const error = h("p", { class: "field-error", hidden: true, role: "alert" });
  const count = h("input", {
    class: "form-control tabular",
    id: "extend-epochs",
    name: "epochs",
    type: "number",
    min: 1,
    max: 10000,
    step: 1,
    required: true,
    value: epochs || Math.max(1, Math.round(epoch / 2)),
    oninput: () => show(),
  });
  const show = () => {
    total.textContent = t("Completed epochs: {done} of {total}", {
      done: number(epoch),
      total: number(epoch + (Number(count.value) || 0)),
    });
  };
  const option = (value, title, text, checked) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "schedule", value, checked }),
      h("span", {}, h("strong", {}, title), h("span", { class: "field-help" }, text)),
    );
  const rate = lastRate ? significant(lastRate) : null;
  const choices = h(
    "fieldset",
    { class: "choices" },
    h("legend", { class: "form-label" }, t("Learning rate")),
    option(
      "stretch",
      t("Extend the schedule"),
      t(
        "The learning rate schedule covers all epochs: the rate rises at first, then falls to its final " +
          "value. Recommended if the metrics were still improving.",
      ),
      true,
    ),
    option(
      "keep",
      t("Keep the last learning rate"),
      rate
        ? t("The learning rate stays at {rate}. Small changes only, for final fine adjustments.", { rate })
        : t("The learning rate stays at its last value. Small changes only, for final fine adjustments."),
    ),
  );
  show();
  const read = () => {
    error.hidden = count.validity.valid;
    error.textContent = fault(count);
    count.setAttribute("aria-invalid", !count.validity.valid);
    return count.validity.valid && { epochs: Number(count.value), schedule: $("input:checked", choices).value };
  };
  const field = h(
    "div",
    { class: "field" },
    h("label", { class: "form-label", for: "extend-epochs" }, t("Additional epochs")),
    count,
    total,
    error,
  );
  return {
    body: [
      h("p", {}, t("The run continues from its last checkpoint. Nothing learned so far is lost.")),
      field,
      choices,
    ],
    read,
  };
}

/** Move it into the trash, with an undo. */
async function trash(training, changed) {
  await doing(
    () => remove(`/api/trainings/${training.id}`),
    (answer) => {
      toast(t("“{name}” was moved to the trash.", { name: training.name }), "info", {
        label: t("Undo"),
        act: () => restore(training, changed),
      });
      return changed(answer);
    },
  );
}

export const restore = (training, changed) => doing(() => act(training, "restore"), changed);

export async function deleteForGood(training, changed) {
  const text = t("“{name}” will be deleted permanently, with its metrics, log and weights. This can't be undone.", {
    name: training.name,
  });
  if (!(await confirmed({ title: t("Delete permanently?"), text, action: t("Delete permanently") }))) return;
  await doing(() => remove(`/api/trainings/${training.id}`, { permanent: true }), changed);
}

/** Run it again with the same values. If something has changed since, the server reports it, and the reader decides. */
async function runAgain(training) {
  try {
    visit(await again(training, false));
  } catch (error) {
    if (error.status !== 409) failed(error);
    else if (
      await ask({
        title: t("The results would not be comparable"),
        body: h("p", {}, error.detail),
        action: t("Rerun anyway"),
      })
    )
      await doing(() => again(training, true), visit);
  }
}

const again = (training, anyway) => post(`/api/trainings/${training.id}/run-again`, { anyway });
const visit = ({ training_id: id }) => window.location.assign(`/trainings/${id}`);

const mark = (training, changed) =>
  doing(() => patch(`/api/trainings/${training.id}`, { important: !training.important }), changed);

// Name of the action → [symbol, label, function]. The first ones that are allowed are shown beside the menu.
const ACTIONS = {
  pause: ["pause-fill", () => t("Pause"), simple("pause")],
  resume: ["play-fill", () => t("Resume"), simple("resume")],
  extend: ["plus-lg", () => t("Add epochs"), extend],
  retry: ["arrow-clockwise", () => t("Try again"), simple("retry")],
  stop: ["stop-fill", () => t("Stop"), stop, "btn-outline btn-danger-quiet"],
};

/** Do an action that is allowed now, as its button does. */
export const doAction = (name, training, changed, options) => ACTIONS[name][2](training, changed, options);

/** Whether another request is useless, since one is pending. */
const alreadyRequested = (training, name) =>
  (name === "stop" && training.stop_requested) ||
  (name === "pause" && (training.pause_requested || training.stop_requested));

/** The buttons of the allowed actions. `options()` is called at the click: the `training` at that time, and `lastRate`,
 *  the learning rate of its last epoch. */
export function actionButtons(training, changed, options) {
  const allowed = new Set(actionsOf(training));
  const names = Object.keys(ACTIONS).filter((name) => allowed.has(name));
  // both resume from the last checkpoint
  const visible = allowed.has("resume") ? names.filter((name) => name !== "retry") : names;
  return visible.map((name) => {
    const [symbol, label, doIt, className] = ACTIONS[name];
    const element = button(symbol, label(), () => doIt(options().training, changed, options()), className);
    element.dataset.action = name;
    element.disabled = alreadyRequested(training, name);
    return element;
  });
}

/** The menu's entries: all other actions. */
export function actionMenu(training, changed) {
  const allowed = new Set(actionsOf(training));
  const entry = (name, symbol, label, attributes) =>
    h(
      "li",
      {},
      h(
        attributes.href ? "a" : "button",
        { class: "dropdown-item", type: attributes.href ? null : "button", "data-action": name, ...attributes },
        icon(symbol),
        label,
      ),
    );
  return [
    allowed.has("clone") &&
      entry("clone", "copy", t("Clone and edit"), { href: `/trainings/new?clone=${training.id}` }),
    allowed.has("clone") &&
      entry("run-again", "arrow-repeat", t("Rerun with the same settings"), { onclick: () => runAgain(training) }),
    entry("bundle", "file-zip", t("Download reproducibility bundle (ZIP)"), {
      href: `/api/trainings/${training.id}/bundle`,
      download: true,
    }),
    mayChange(training) &&
      entry(
        "important",
        training.important ? "star-fill" : "star",
        training.important ? t("Remove importance mark") : t("Mark as important"),
        { onclick: () => mark(training, changed), title: t("Important models are included in backups.") },
      ),
    mayChange(training) &&
      training.shared !== undefined &&
      entry("share", "share", shareLabel(training), {
        onclick: async () => {
          const answer = await share(`/api/trainings/${training.id}`, training);
          if (answer) await changed(answer);
        },
        title: shareHelp(),
      }),
    allowed.has("delete") && h("li", {}, h("hr", { class: "dropdown-divider" })),
    allowed.has("delete") && entry("delete", "trash3", t("Delete"), { onclick: () => trash(training, changed) }),
  ].filter(Boolean);
}
