/* The transfer of a video or of images to the server: large files in chunks, resumed after an interruption. */
import { upload } from "../lib/api.js";
import { button, h } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { Transfer, created, fingerprint, fits, unfinished } from "../datasets/resumable.js";
import { bar, moveBar } from "../ui/status.js";

const RESUMABLE_FROM = 20 * 1024 ** 2; // smaller files are sent again as quickly as they are resumed

export class JobUpload {
  /** @param {string} field of the form @param {File[]} files @param {Record<string, string>} values of the form
   *  @param {string} doing what the bar says */
  constructor(field, files, values, doing) {
    this.field = field;
    this.files = files;
    this.values = values;
    this.doing = doing;
    this.bar = bar(0, "", doing);
    /** @type {any} */
    this.request = null;
    /** @type {Transfer | null} */
    this.transfer = null;
    this.text = h("span", { class: "panel-note" }, doing);
    this.cancelled = false;
    this.element = h(
      "div",
      { class: "test-queue", role: "status" },
      this.bar,
      this.text,
      button("x-lg", t("Cancel"), () => this.cancel(), "btn-outline btn-sm"),
    );
  }

  /** Resolves when the server has everything; rejects with the reason of a refusal, without a reason when it was
   *  cancelled. */
  async send() {
    const [file] = this.files;
    const metadata = { purpose: "prediction", filename: file.name, ...this.values };
    const inChunks = this.files.length === 1 && file.size >= RESUMABLE_FROM && fits(metadata);
    await (inChunks ? this.sendInChunks(file, metadata) : this.sendAtOnce());
  }

  sendAtOnce() {
    const form = new FormData();
    for (const [name, value] of Object.entries(this.values)) form.append(name, value);
    for (const file of this.files) form.append(this.field, file, file.name);
    this.request = upload("/api/predictions", form, ({ sent, total }) => this.move(sent, total));
    return this.request.done;
  }

  /** The same file for the same model and thresholds resumes where an earlier page stopped.
   *  @param {File} file @param {Record<string, string>} metadata */
  async sendInChunks(file, metadata) {
    const purpose = ["prediction", ...Object.values(this.values)].join("-");
    const transfer = new Transfer(
      file,
      metadata,
      {
        progress: ({ sent, total }) => this.move(sent, total),
        interrupted: () => {
          this.text.textContent = t("Connection lost. The upload resumes automatically when the connection is back.");
        },
      },
      purpose,
    );
    const print = fingerprint(file, purpose);
    const before = (await unfinished("prediction")).find((item) => item.fingerprint === print);
    this.transfer = transfer;
    if (before) transfer.from(before.entry);
    if (this.cancelled) throw new Cancelled();
    try {
      if (!(await transfer.run())) throw new Cancelled();
      await created(transfer.id);
    } finally {
      if (!this.cancelled) transfer.forget();
    }
  }

  /** @param {number} sent @param {number} total bytes */
  move(sent, total) {
    moveBar(this.bar, sent / total);
    this.text.textContent = sent < total ? `${this.doing} ${percent(sent / total)}` : this.doing;
  }

  cancel() {
    this.cancelled = true;
    this.request?.abort();
    this.transfer?.cancel();
  }
}

class Cancelled extends Error {}
