/* The upper part of a training's page: name, state, actions, progress, and current notices. */
import { actionsOf } from "../lib/access.js";
import { actionButtons, actionMenu, deleteForGood, restore } from "./actions.js";
import { progressTexts } from "./progress_texts.js";
import { $, button, failure, h, icon, setChildren, setDifferent, write } from "../lib/dom.js";
import { ago, dateTime, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { sharedText } from "../ui/sharing.js";
import {
  bar,
  deviceName,
  fraction,
  learnedNothing,
  modelName,
  moveBar,
  pauseText,
  stateOf,
  trainingBadge,
} from "../ui/status.js";

const ACTIVE = ["pending", "running", "paused"];
const CLASSES = { completed: "is-completed", failed: "is-failed", cancelled: "is-cancelled", paused: "is-paused" };

const classOf = (training) => (learnedNothing(training) ? "is-cancelled" : CLASSES[training.status] || "");

/** Show the head of `state.training`; `changed` is called after an action. */
export class Head {
  constructor(state, changed) {
    this.state = state;
    this.changed = changed;
    this.drawn = null;
    this.noticed = null;
    this.advised = null;
    this.advance = null;
    this.since = null; // the element with its age, the only part of its description that changes by itself
    this.trashDays = Number($("[data-page]").dataset.trashDays);
  }

  show() {
    const { training } = this.state;
    this.about(training);
    const active = ACTIVE.includes(training.status);
    const title = [active && percent(fraction(training)), training.name, "YOLO Training Platform"]
      .filter(Boolean)
      .join(" · ");
    if (document.title !== title) document.title = title;
    this.actions();
    this.progress();
    this.notice();
    this.advise();
  }

  /** What does not change from batch to batch is not redrawn. */
  about(training) {
    const rendered = JSON.stringify([
      training.name,
      stateOf(training),
      training.level,
      training.dataset_name,
      modelName(training),
      training.device,
      training.created_at,
      training.important,
      training.shared,
      training.downloadable,
    ]);
    if (rendered !== this.rendered) this.drawAbout(training);
    this.rendered = rendered;
    write(this.since, ago(training.start_time || training.created_at));
  }

  drawAbout(training) {
    this.since = h("span", { title: dateTime(training.created_at) });
    $("[data-name]").textContent = training.name;
    setChildren($("[data-status]"), trainingBadge(training));
    setChildren(
      $("[data-sub]"),
      h("a", { href: `/datasets/${training.dataset_id}` }, training.dataset_name),
      ` · ${modelName(training)}`,
      deviceName(training) && ` · ${deviceName(training)}`,
      " · ",
      this.since,
      training.important && [
        " · ",
        h(
          "span",
          { class: "nowrap", title: t("Important models are included in backups.") },
          icon("star-fill"),
          " ",
          t("important"),
        ),
      ],
      sharedText(training),
    );
    $("[data-download]").hidden = !training.downloadable;
    $("[data-test]").hidden = !training.downloadable || ["pending", "running"].includes(training.status);
  }

  /** Changed only when it differs, since a screen reader reads each change. */
  notice() {
    const {
      status,
      error,
      pause_reason: reason,
      pause_requested: requested,
      deleted_at: deleted,
    } = this.state.training;
    const rendered = JSON.stringify([status, error, reason, requested, deleted]);
    if (rendered === this.noticed) return;
    this.noticed = rendered;
    setChildren($("[data-failure]"), this.notices());
  }

  /** The coach's newest advice, while it can still be applied. */
  advise() {
    const { training, advice } = this.state;
    const container = $("[data-advice]");
    setDifferent(container, { hidden: !advice || !["running", "paused"].includes(training.status) });
    if (container.hidden || this.advised === advice.key) return;
    this.advised = advice.key;
    setChildren(
      container,
      icon("lightbulb-fill"),
      h("div", { class: "advice-text" }, h("strong", {}, advice.text), advice.hint && h("span", {}, advice.hint)),
      advice.epoch && h("span", { class: "under nowrap" }, t("epoch {epoch}", { epoch: number(advice.epoch) })),
    );
  }

  /** Redrawn only when they differ, so that an open menu stays open while numbers change. */
  actions() {
    const { training } = this.state;
    const rendered = JSON.stringify([
      training.actions,
      training.important,
      training.shared,
      training.stop_requested,
      training.pause_requested,
      training.status,
    ]);
    if (rendered === this.drawn) return;
    this.drawn = rendered;
    const now = () => ({ training: this.state.training, lastRate: this.state.metrics.at(-1)?.learning_rate });
    setChildren($("[data-actions]"), actionButtons(training, this.changed, now));
    this.weigh(training.status);
    setChildren($("[data-menu]"), actionMenu(training, this.changed));
    $("[data-more]").hidden = Boolean(training.deleted_at);
    $("[data-bell]").classList.toggle("is-useless", !ACTIVE.includes(training.status));
  }

  /** The next step is emphasized: resuming if paused, otherwise the weights. */
  weigh(status) {
    const [resume, weights] = [$("[data-actions] [data-action=resume]"), $("[data-download]")];
    for (const [element, first] of [
      [resume, status === "paused"],
      [weights, status !== "paused"],
    ]) {
      element?.classList.toggle("btn-primary", first);
      element?.classList.toggle("btn-outline", !first);
    }
  }

  progress() {
    const { training } = this.state;
    const { main, side, strong } = progressTexts(training, this.state.metrics);
    const texts = [main, ...side.filter(Boolean), strong];
    const rendered = `${texts.length} ${classOf(training)}`;
    if (this.advance?.rendered !== rendered) this.advance = this.advanceFrame(rendered, texts.length - 2);
    this.advance.cells.forEach((cell, index) => write(cell, texts[index] || ""));
    moveBar(this.advance.bar, fraction(training));
  }

  /** The progress panel with a fixed number of texts at its side, which are filled in place. */
  advanceFrame(rendered, count) {
    const [main, strong] = [h("span", { class: "advance-main" }), h("strong")];
    const side = Array.from({ length: count }, () => h("span"));
    const moving = bar(0, classOf(this.state.training));
    setChildren(
      $("[data-advance]"),
      h("div", { class: "advance-row" }, main, h("span", { class: "advance-side" }, side, strong)),
      moving,
    );
    return { rendered, bar: moving, cells: [main, ...side, strong] };
  }

  notices() {
    const { training } = this.state;
    return [
      training.deleted_at && this.inTrash(),
      training.status === "failed" && failed(training),
      training.status === "paused" && notice("pause-circle-fill", t("Paused"), pauseText(training)),
      training.status === "running" &&
        training.pause_requested &&
        notice(
          "pause-circle",
          t("Pausing"),
          t("The run pauses within one batch. When resumed, it continues from the last completed epoch."),
        ),
    ];
  }

  inTrash() {
    const { training } = this.state;
    const until = new Date(new Date(training.deleted_at).getTime() + this.trashDays * 86_400_000);
    const buttons = h(
      "div",
      { class: "notice-actions" },
      button("arrow-counterclockwise", t("Restore"), () => restore(training, this.changed), "btn-outline btn-sm"),
      button(
        "trash3",
        t("Delete permanently"),
        () => deleteForGood(training, () => window.location.assign("/trainings?trash=true")),
        "btn-outline btn-danger-quiet btn-sm",
      ),
    );
    return notice(
      "trash3",
      t("In the trash"),
      t("This run will be deleted permanently on {date}.", { date: dateTime(until.toISOString()) }),
      buttons,
    );
  }
}

/** The error, with a helpful step beside it. */
function failed(training) {
  const element = failure({
    title: t("The run failed"),
    detail: training.error || t("No reason was recorded. See the log for details."),
  });
  const link = (symbol, label, href) => h("a", { class: "btn btn-outline btn-sm", href }, icon(symbol), " ", label);
  const change =
    actionsOf(training).includes("clone") &&
    link("sliders", t("Clone and edit"), `/trainings/new?clone=${training.id}`);
  const steps = {
    data: [link("clipboard2-check", t("Dataset issues"), `/datasets/${training.dataset_id}?tab=findings`)],
    out_of_memory: [change],
    disk_full: [link("hdd", t("System"), "/system")],
  };
  element.append(
    h(
      "div",
      { class: "notice-actions" },
      steps[training.error_kind] || [link("text-left", t("View log"), "#log-title")],
    ),
  );
  return element;
}

const notice = (symbol, title, text, ...more) =>
  h(
    "div",
    { class: "notice is-warning", role: "status" },
    icon(symbol),
    h("div", { class: "notice-text" }, h("strong", {}, title), text),
    more,
  );
