/* The upload of one file: its form, its transfer, its validation. */
import { get, upload } from "../lib/api.js";
import { notZip, whyNoZip } from "./archive_kind.js";
import { h, icon } from "../lib/dom.js";
import { bytes, percent, remaining } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { shareOf, stageText } from "./progress.js";
import { uploadForm } from "./upload_form.js";
import { Transfer, created, fits, terminate } from "./resumable.js";
import { UploadPanel, small } from "./upload_panel.js";

const RESUMABLE_FROM = 20 * 1024 ** 2; // smaller files are sent again as quickly as they are resumed

/** One file. */
export class Upload {
  /** @param resumable an upload of `unfinished`; `file` is then its name and size, until the file itself is chosen
   *  again */
  constructor(file, uploads, resumable = null) {
    this.file = file;
    this.uploads = uploads;
    this.resumable = resumable;
    this.id = null;
    this.panel = new UploadPanel(file, () => uploads.remove(this));
    if (resumable) return;
    const reason = this.refusal();
    if (reason) this.failed({ title: t("This file can't be uploaded"), detail: reason });
    else {
      this.ask();
      this.checkArchive();
    }
  }

  /** Refuse a file that is no ZIP, or an incomplete one, before it is sent. If it cannot be read, the upload reports
   *  that. */
  async checkArchive() {
    const reason = await whyNoZip(this.file).catch(() => null);
    if (!reason || !this.asking) return;
    this.asking = null;
    this.uploads.offerAll();
    this.failed({ title: t("This file can't be uploaded"), detail: reason });
  }

  refusal() {
    const { most } = this.uploads.limits;
    if (!/\.zip$/i.test(this.file.name)) return notZip();
    if (!this.file.size) return t("The file is empty. Create it again or choose another one.");
    if (this.file.size > most)
      return t("The file has {size}; the server accepts up to {limit}.", {
        size: bytes(this.file.size),
        limit: bytes(most),
      });
    return null;
  }

  ask() {
    this.asking = uploadForm(this.file, this.form, {
      send: (form) => this.begin(form),
      cancel: () => this.uploads.remove(this),
    });
    this.panel.ask(this.asking);
    this.uploads.offerAll();
  }

  begin(form) {
    this.form = form;
    this.asking = null;
    this.discarded = false;
    this.uploads.offerAll();
    const metadata = { filename: this.file.name, ...Object.fromEntries(form) };
    const { post } = this.uploads.limits;
    const large = this.file.size >= RESUMABLE_FROM || this.file.size > post;
    this.transfer = large && fits(metadata) ? this.inChunks(metadata) : null;
    this.queueUp();
  }

  inChunks(metadata) {
    return new Transfer(this.file, metadata, {
      progress: (state) => this.progress(state, "sending", () => [this.pauseButton(), this.cancelButton()]),
      interrupted: () =>
        this.panel.show(
          t("Connection lost. The upload resumes automatically when the connection is back."),
          this.share ? percent(this.share) : "",
          this.share ?? null,
          "interrupted",
          () => [this.pauseButton(), this.cancelButton()],
        ),
    });
  }

  queueUp() {
    this.panel.show(t("Waiting for the previous upload"), "", this.share ?? 0, "waiting", () => [this.cancelButton()]);
    this.uploads.send(this);
  }

  progress({ sent, total, rate, left }, kind, actions) {
    this.share = sent / total;
    if (sent < total)
      this.panel.show(
        [percent(sent / total), " · ", t("{sent} of {total}", { sent: bytes(sent), total: bytes(total) })],
        rate ? `${bytes(rate)}/s · ${remaining(left)}` : "",
        sent / total,
        kind,
        actions,
      );
    else this.panel.show(t("Uploaded. Extracting on the server."), "", null);
  }

  async send() {
    if (this.discarded) return;
    try {
      const id = this.transfer ? await this.sendInChunks() : await this.sendAtOnce();
      if (id) this.received(id);
    } catch (error) {
      if (error.status === 429 && error.wait) {
        await this.waitFor(error);
        await this.send();
        return;
      }
      this.transfer?.forget();
      this.failed(error);
    }
  }

  /** More uploads than the server accepts per minute: the others of the queue would be refused as well.
   *  @param {import("../lib/api.js").ApiError} error */
  async waitFor(error) {
    const seconds = Math.ceil(error.wait);
    this.panel.show(
      tn(
        "The upload limit is reached. The upload continues in {n} second.",
        "The upload limit is reached. The upload continues in {n} seconds.",
        seconds,
      ),
      "",
      0,
      "limited",
      () => [this.cancelButton()],
    );
    await new Promise((resolve) => {
      setTimeout(resolve, seconds * 1000);
    });
  }

  async sendAtOnce() {
    const body = new FormData();
    for (const [name, value] of this.form) body.append(name, value);
    body.append("file", this.file);
    const { done, abort } = upload("/api/datasets", body, (state) =>
      this.progress(state, "sending", () => [small(null, t("Cancel"), abort)]),
    );
    return (await done).dataset_id;
  }

  /** The dataset's id; null when it was paused or cancelled, and the next in the queue is sent. */
  async sendInChunks() {
    if (!(await this.transfer.run())) return null;
    this.panel.show(t("Uploaded. Extracting on the server."), "", null);
    const id = await created(this.transfer.id);
    this.transfer.forget();
    return id;
  }

  received(id) {
    this.id = id;
    this.panel.show(t("Extracted. Starting the dataset check."), this.link(), null);
    this.uploads.changed();
    if (this.uploads.early.has(id)) this.checked(this.uploads.early.get(id));
  }

  pauseButton() {
    return small("pause-fill", t("Pause"), () => {
      this.transfer.pause();
      this.panel.show(t("Paused. The upload resumes where it stopped."), "", this.share ?? 0, "paused", () => [
        small("play-fill", t("Resume"), () => this.queueUp()),
        this.cancelButton(),
      ]);
    });
  }

  cancelButton() {
    return small(null, t("Cancel"), async () => {
      this.discarded = true;
      this.uploads.remove(this);
      await this.transfer?.cancel();
    });
  }

  /** An upload started on an earlier page: it waits for its file, or its dataset is being created, or it was
   *  refused. */
  async offerToResume() {
    const { entry, state, offset, length, id } = this.resumable;
    if (state === "receiving") {
      this.panel.show(
        [
          t("The upload stopped at {percent}.", { percent: percent(offset / length) }),
          " ",
          t("Choose the same file again to resume the upload."),
        ],
        "",
        offset / length,
        "kept",
        () => [
          small("folder2-open", t("Choose file"), () => this.uploads.choose()),
          small(null, t("Cancel"), () => {
            this.uploads.remove(this);
            terminate(entry);
          }),
        ],
      );
      return;
    }
    this.transfer = new Transfer(this.file, {});
    this.transfer.from(entry);
    this.panel.show(t("Uploaded. Extracting on the server."), "", null);
    try {
      this.received(await created(id));
    } catch (error) {
      this.failed(error);
    }
    this.transfer.forget();
  }

  goOn(file) {
    this.file = file;
    this.transfer = this.inChunks(this.resumable.entry.metadata);
    this.transfer.from(this.resumable.entry);
    this.resumable = null;
    this.queueUp();
  }

  link(text = t("Open")) {
    return h("a", { href: `/datasets/${this.id}` }, text);
  }

  checked({ status, ...progress }) {
    if (status === "valid")
      this.panel.end(icon("check-circle-fill"), t("Ready for training."), "is-completed", [
        this.link(t("View dataset")),
        " ",
        h("a", { href: `/trainings/new?dataset_id=${this.id}` }, t("Train on this dataset")),
      ]);
    else if (status === "invalid") this.refused();
    else if (progress.stage) this.panel.show(stageText(progress), this.link(), shareOf(progress));
  }

  /** The reason is requested by REST, in the reader's language; a broadcast message is in the server's. */
  async refused() {
    const { error } = await get(`/api/datasets/${this.id}`).catch(() => ({}));
    this.panel.end(
      icon("x-octagon-fill"),
      error || t("This dataset can't be used for training. Open it to see why."),
      "is-failed",
      this.link(),
    );
  }

  failed(error) {
    const title = [400, 422].includes(error.status) ? t("The dataset couldn't be created") : error.title;
    const again = () =>
      error
        .again()
        .then(() => created(this.transfer.id))
        .then((id) => this.received(id))
        .catch((next) => this.failed(next));
    this.panel.fail(title, error, [
      error.again &&
        small("arrow-clockwise", t("Try again"), () => {
          this.panel.show(t("Uploaded. Extracting on the server."), "", null);
          again();
        }),
      this.form && small(null, t("Edit and try again"), () => this.ask()),
    ]);
  }
}
