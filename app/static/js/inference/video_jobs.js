/* Whole videos and many images on the server: upload, progress, the annotated video, the detections to download. */
import { mayChange } from "../lib/access.js";
import { get, post, remove } from "../lib/api.js";
import { $, button, confirmed, fillFrom, h, icon, setChildren, toast } from "../lib/dom.js";
import { ago, dateTime, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { showPager } from "../ui/pager.js";
import { badge, bar, moveBar } from "../ui/status.js";
import { JobUpload } from "./job_upload.js";
import { resultOf, stateOf } from "./prediction_result.js";

const PER_PAGE = 5;
const ASK_MS = 1000;
const UNFINISHED = new Set(["pending", "running"]);
export class VideoJobs {
  /** @param {any} picker of the model @param {() => {confidence: number, iou: number}} thresholds */
  constructor(picker, thresholds) {
    this.picker = picker;
    this.thresholds = thresholds;
    this.page = 1;
    this.said = new WeakMap(); // by the element of a row
    this.sending = null;
    this.list = $("[data-video-jobs]");
    this.whose = $("[data-whose-job]"); // without authentication there is one user
    this.whose?.addEventListener("change", () => this.load(1));
    this.input = $("[data-video-job-file]");
    this.choose = $("[data-video-job]");
    this.choose.addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      const [file] = this.input.files;
      this.input.value = "";
      if (file) this.send("file", [file], t("Uploading the video…"));
    });
    this.images = $("[data-image-job-files]");
    this.chooseImages = $("[data-image-job]");
    this.chooseImages.addEventListener("click", () => this.images.click());
    this.images.addEventListener("change", () => {
      const files = [...this.images.files];
      this.images.value = "";
      if (files.length) this.send("files", files, t("Uploading the images…"));
    });
  }

  /** The panel was shown or hidden. */
  show(visible) {
    clearTimeout(this.timer);
    this.visible = visible;
    if (visible) this.load();
  }

  load(page = this.page) {
    this.page = page;
    return fillFrom(
      this.list,
      () => this.get(),
      (answer) => this.put(answer),
    );
  }

  get() {
    return get("/api/predictions", { page: this.page, per_page: PER_PAGE, created_by: this.whose?.value || "" });
  }

  /** @param {any} answer a page of predictions */
  put(answer) {
    clearTimeout(this.timer);
    const { predictions, total, pages } = answer;
    if (!predictions.length && total && this.page > 1) {
      this.load(Math.min(this.page - 1, pages)); // the last one of its page was deleted
      return;
    }
    $("[data-video-job-count]").textContent = total ? number(total) : "";
    showPager($("[data-video-job-pager]"), answer, (target) => this.load(target));
    if (predictions.length) this.fill(predictions);
    else
      setChildren(
        this.list,
        h("p", { class: "panel-empty" }, t("Videos and images that the server has analyzed appear here.")),
      );
    if (this.visible && predictions.some(({ status }) => UNFINISHED.has(status)))
      this.timer = setTimeout(() => this.ask(), ASK_MS);
  }

  /** Show the rows; an unchanged one is not touched, since replacing it would stop its video. */
  fill(predictions) {
    const current = new Map(predictions.map((row) => [String(row.id), contentOf(row)]));
    for (const row of [...this.list.children])
      if (!current.has(row.dataset.prediction) || this.said.get(row) !== current.get(row.dataset.prediction))
        row.remove();
    let next = this.list.firstElementChild;
    for (const row of predictions)
      if (next?.dataset.prediction === String(row.id)) {
        this.move(row);
        next = next.nextElementSibling;
      } else {
        const inserted = this.list.insertBefore(this.row(row), next);
        this.said.set(inserted, current.get(String(row.id)));
      }
  }

  async ask() {
    try {
      this.put(await this.get());
    } catch {
      if (this.visible) this.timer = setTimeout(() => this.ask(), 5 * ASK_MS);
    }
  }

  row(row) {
    return h(
      "article",
      { class: "video-job", "data-prediction": row.id },
      h(
        "header",
        { class: "video-job-head" },
        h("strong", { class: "video-job-name", title: row.filename }, row.filename),
        badge(row.status),
        h("span", { class: "quiet", title: dateTime(row.created_at) }, row.training_name, " · ", ago(row.created_at)),
        h("span", { class: "video-job-tools" }, this.tools(row)),
      ),
      UNFINISHED.has(row.status) && this.progress(row),
      row.error && h("p", { class: "video-job-note" }, row.error.message),
      row.status === "completed" && resultOf(row),
    );
  }

  tools(row) {
    if (!mayChange(row)) return null;
    if (UNFINISHED.has(row.status)) return button("stop-fill", t("Stop"), () => this.stop(row), "btn-outline btn-sm");
    const title = questionOf(row);
    return h(
      "button",
      {
        class: "icon-button",
        type: "button",
        title: t("Delete"),
        "aria-label": title,
        onclick: () => this.remove(row),
      },
      icon("trash3"),
    );
  }

  progress(row) {
    return h(
      "div",
      { class: "test-queue" },
      bar(shareOf(row), "", t("Progress")),
      h("span", { class: "tabular panel-note", "data-video-job-text": "" }, stateOf(row)),
    );
  }

  move(row) {
    const current = this.list.querySelector(`[data-prediction="${row.id}"]`);
    const text = current?.querySelector("[data-video-job-text]");
    if (!text) return;
    text.textContent = stateOf(row);
    moveBar(current.querySelector(".bar"), shareOf(row));
  }

  /** @param {string} field of the form @param {File[]} files @param {string} doing what the bar says */
  async send(field, files, doing) {
    const { training_id: training, checkpoint } = this.picker.selection;
    const { confidence, iou } = this.thresholds();
    const values = { training_id: String(training), confidence: String(confidence), iou: String(iou) };
    values.track = String($("#video-track").checked);
    if (checkpoint) values.checkpoint = checkpoint;
    const notice = $("[data-video-job-notice]");
    this.sending = new JobUpload(field, files, values, doing);
    setChildren(notice, this.sending.element);
    this.choose.disabled = this.chooseImages.disabled = true;
    try {
      await this.sending.send();
      setChildren(notice);
      await this.load(1);
    } catch (error) {
      const why = error.errors?.[0]?.message || error.detail || error.title; // cancelled: none
      setChildren(
        notice,
        why &&
          h(
            "div",
            { class: "notice", role: "alert" },
            icon("file-earmark-x"),
            h("div", { class: "notice-text" }, h("strong", {}, files[0].name), why),
          ),
      );
    } finally {
      this.sending = null;
      this.choose.disabled = this.chooseImages.disabled = false;
    }
  }

  async stop(row) {
    await this.quietly(post(`/api/jobs/${row.job_id}/stop`));
    await this.ask();
  }

  async remove(row) {
    const agreed = await confirmed({
      title: questionOf(row),
      text:
        row.source === "images"
          ? t("The detections are deleted permanently. The model is kept.")
          : t("The video and its detections are deleted permanently. The model is kept."),
      action: t("Delete"),
    });
    if (!agreed) return;
    await this.quietly(remove(`/api/predictions/${row.id}`));
    this.load();
  }

  async quietly(answer) {
    try {
      await answer;
    } catch (error) {
      if (error.status !== 404 && error.status !== 409) toast(error.detail || error.title, "failed");
    }
  }
}

/** The content of a prediction apart from its progress: two with a difference are displayed differently. */
const contentOf = ({ progress: _, ...rest }) => JSON.stringify(rest);

/** The share of a prediction, from 0 to 1; null: unknown. */
const shareOf = ({ progress }) => (progress?.percent === null || !progress ? null : progress.percent / 100);

/** The question before it is deleted. */
const questionOf = ({ source }) => (source === "images" ? t("Delete these detections?") : t("Delete this video?"));
