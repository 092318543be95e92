/* The upper part of a training's page: name, state, actions, progress, and what the reader must know now. */
import { actionButtons, actionMenu, deleteForGood, restore } from "./actions.js";
import { $, button, failure, h, icon, put, write } from "./dom.js";
import { ago, bytes, dateTime, duration, number, percent, remaining } from "./format.js";
import { t, tn } from "./i18n.js";
import { bar, deviceName, epochText, fraction, learnedNothing, modelName, moveBar, pauseText, shownState, stageText, trainingBadge, waitedBetween, waitingText } from "./status.js";

const ACTIVE = ["pending", "running", "paused"];
const PACE = 5; // epochs
const LOOKS = { completed: "is-completed", failed: "is-failed", cancelled: "is-cancelled", paused: "is-paused" };

const lookOf = (training) => (learnedNothing(training) ? "is-cancelled" : LOOKS[training.status] || "");

/** Show the head of `state.training`; `changed` is called after an action. */
export class Head {
  constructor(state, changed) {
    Object.assign(this, { state, changed, drawn: null, noticed: null, advised: null, advance: null });
    this.trashDays = Number($("[data-page]").dataset.trashDays);
  }

  show() {
    const { training } = this.state;
    this.about(training);
    const active = ACTIVE.includes(training.status);
    document.title = [active && percent(fraction(training)), training.name, "YOLO Training Platform"].filter(Boolean).join(" · ");
    this.actions();
    this.progress();
    this.notice();
    this.advise();
  }

  /** What stays the same from batch to batch is not drawn again. */
  about(training) {
    const since = ago(training.start_time || training.created_at);
    const look = JSON.stringify([training.name, shownState(training), training.level, training.dataset_name, modelName(training), training.device, since, training.important, training.downloadable]);
    if (look === this.look) return;
    this.look = look;
    $("[data-name]").textContent = training.name;
    put($("[data-status]"), trainingBadge(training));
    put($("[data-sub]"),
      h("a", { href: `/datasets/${training.dataset_id}` }, training.dataset_name), ` · ${modelName(training)}`,
      deviceName(training) && ` · ${deviceName(training)}`, " · ", h("span", { title: dateTime(training.created_at) }, since),
      training.important && [" · ", h("span", { class: "nowrap", title: t("Important models are included in backups.") }, icon("star-fill"), " ", t("important"))]);
    $("[data-download]").hidden = !training.downloadable;
    $("[data-test]").hidden = !training.downloadable || ["pending", "running"].includes(training.status);
  }

  /** Said again only when it differs: a screen reader speaks each change. */
  notice() {
    const { status, error, pause_reason: reason, pause_requested: asked, deleted_at: deleted } = this.state.training;
    const look = JSON.stringify([status, error, reason, asked, deleted]);
    if (look === this.noticed) return;
    this.noticed = look;
    put($("[data-failure]"), this.notices());
  }

  /** The coach's newest advice, while something can still be done with it. */
  advise() {
    const { training, advice } = this.state;
    const place = $("[data-advice]");
    place.hidden = !advice || !["running", "paused"].includes(training.status);
    if (place.hidden || this.advised === advice.key) return;
    this.advised = advice.key;
    put(place, icon("lightbulb-fill"), h("div", { class: "advice-text" }, h("strong", {}, advice.text), advice.hint && h("span", {}, advice.hint)), advice.epoch && h("span", { class: "under nowrap" }, t("epoch {epoch}", { epoch: number(advice.epoch) })));
  }

  /** Drawn again only when they differ: an open menu stays open while numbers move. */
  actions() {
    const { training } = this.state;
    const look = JSON.stringify([training.actions, training.important, training.stop_requested, training.pause_requested, training.status]);
    if (look === this.drawn) return;
    this.drawn = look;
    const lastRate = () => ({ lastRate: this.state.metrics.at(-1)?.learning_rate });
    put($("[data-actions]"), actionButtons(training, this.changed, lastRate));
    this.weigh(training.status);
    put($("[data-menu]"), actionMenu(training, this.changed));
    $("[data-more]").hidden = Boolean(training.deleted_at);
    $("[data-bell]").classList.toggle("is-useless", !ACTIVE.includes(training.status));
  }

  /** The next step stands out: to go on where it paused, else the weights. */
  weigh(status) {
    const [resume, weights] = [$("[data-actions] [data-action=resume]"), $("[data-download]")];
    for (const [element, first] of [[resume, status === "paused"], [weights, status !== "paused"]]) {
      element?.classList.toggle("btn-primary", first);
      element?.classList.toggle("btn-outline", !first);
    }
  }

  progress() {
    const { training } = this.state;
    const { main, side, strong } = advanceTexts(training, this.state.metrics);
    const texts = [main, ...side.filter(Boolean), strong];
    const look = `${texts.length} ${lookOf(training)}`;
    if (this.advance?.look !== look) this.advance = this.advanceFrame(look, texts.length - 2);
    this.advance.places.forEach((place, index) => write(place, texts[index] || ""));
    moveBar(this.advance.bar, fraction(training));
  }

  /** The progress panel for so many texts at its side; they are filled in place. */
  advanceFrame(look, count) {
    const [main, strong] = [h("span", { class: "advance-main" }), h("strong")];
    const side = Array.from({ length: count }, () => h("span"));
    const moving = bar(0, lookOf(this.state.training));
    put($("[data-advance]"), h("div", { class: "advance-row" }, main, h("span", { class: "advance-side" }, side, strong)), moving);
    return { look, bar: moving, places: [main, ...side, strong] };
  }

  notices() {
    const { training } = this.state;
    return [
      training.deleted_at && this.inTrash(),
      training.status === "failed" && failed(training),
      training.status === "paused" && notice("pause-circle-fill", t("Paused"), pauseText(training)),
      training.status === "running" && training.pause_requested && notice("pause-circle", t("Pausing"), t("The run pauses within one batch. When resumed, it continues from the last completed epoch.")),
    ];
  }

  inTrash() {
    const { training } = this.state;
    const until = new Date(new Date(training.deleted_at).getTime() + this.trashDays * 86_400_000);
    const buttons = h("div", { class: "notice-actions" },
      button("arrow-counterclockwise", t("Restore"), () => restore(training, this.changed), "btn-outline btn-sm"),
      button("trash3", t("Delete permanently"), () => deleteForGood(training, () => window.location.assign("/trainings?trash=true")), "btn-outline btn-danger-quiet btn-sm"));
    return notice("trash3", t("In the trash"), t("This run will be deleted permanently on {date}.", { date: dateTime(until.toISOString()) }), buttons);
  }
}

/** What went wrong, with the step that helps beside it. */
function failed(training) {
  const told = failure({ title: t("The run failed"), detail: training.error || t("No reason was recorded. See the log for details.") });
  const link = (symbol, label, href) => h("a", { class: "btn btn-outline btn-sm", href }, icon(symbol), " ", label);
  const change = training.actions.includes("clone") && link("sliders", t("Clone and edit"), `/trainings/new?clone=${training.id}`);
  const steps = { data: [link("clipboard2-check", t("Dataset issues"), `/datasets/${training.dataset_id}?tab=findings`)], out_of_memory: [change], disk_full: [link("hdd", t("System"), "/system")] };
  told.append(h("div", { class: "notice-actions" }, steps[training.error_kind] || [link("text-left", t("View log"), "#log-title")]));
  return told;
}

const notice = (symbol, title, text, ...more) => h("div", { class: "notice is-warning", role: "status" }, icon(symbol), h("div", { class: "notice-text" }, h("strong", {}, title), text), more);

/** What the progress panel says: {main, side: [texts], strong}. */
function advanceTexts(training, metrics) {
  const troubles = [
    training.restarts ? tn("resumed automatically {n} time", "resumed automatically {n} times", training.restarts) : null,
    training.halvings ? t("batch size reduced to {batch}", { batch: number(training.batch_now) }) : null,
  ];
  const total = number(training.total_epochs || training.epochs);
  const ended = { side: [...troubles, ...tookTexts(training)], strong: training.end_time ? dateTime(training.end_time) : "" };
  const texts = {
    running: () => running(training, troubles),
    pending: () => ({ main: t("In the queue"), side: [...troubles, waitingText(training)], strong: training.current_epoch ? t("resumes after epoch {epoch}", { epoch: number(training.current_epoch) }) : "" }),
    paused: () => ({ main: training.current_epoch ? t("Paused after epoch {epoch} of {total}", { epoch: number(training.current_epoch), total }) : t("Paused before the first epoch was completed"), side: [...troubles, stillToGo(training, metrics)], strong: percent(fraction(training)) }),
    completed: () => ({ main: tn("{n} epoch completed", "{n} epochs completed", training.current_epoch), ...ended }),
  };
  const own = texts[training.status];
  if (own) return own();
  return { main: training.current_epoch ? t("Ended after epoch {epoch} of {total}", { epoch: number(training.current_epoch), total }) : t("Ended before the first epoch was completed"), ...ended };
}

/** How long it trained; where queue, pauses or idle time came in between, also from start to end. */
function tookTexts({ training_seconds: worked, duration: wall }) {
  if (!worked) return [];
  return [t("trained for {time}", { time: duration(worked) }), waitedBetween(worked, wall) && t("{time} from start to end", { time: duration(wall) })];
}

/** How long the rest takes at the pace of the last epochs. */
function stillToGo(training, metrics) {
  const paces = metrics.slice(-PACE).map(({ seconds }) => seconds).filter(Number.isFinite);
  const epochs = (training.total_epochs || training.epochs) - training.current_epoch;
  if (!paces.length || epochs <= 0) return null;
  return t("about {time} left", { time: duration((epochs * paces.reduce((sum, pace) => sum + pace, 0)) / paces.length) });
}

function running(training, troubles) {
  const { progress = {} } = training;
  const stage = stageText(training);
  const asked = { stopping: t("stops after this batch"), pausing: t("pauses after this batch") }[shownState(training)];
  const begun = training.current_epoch > 0 || progress.epoch > 0;
  const side = [asked, ...troubles, begun ? stage : null,
    progress.batch && !stage ? t("batch {batch} of {batches}", { batch: number(progress.batch), batches: number(progress.batches) }) : null,
    progress.received ? [progress.received, progress.total].filter(Boolean).map(bytes).join(" / ") : null];
  return { main: begun ? epochText(training) : stage ?? epochText(training), side, strong: `${percent(fraction(training))} · ${remaining(training.eta)}` };
}
