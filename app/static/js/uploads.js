/* Uploads of datasets: a form a file, then its bytes, then its check. One is sent at a time. */
import { get, upload } from "./api.js";
import { notZip, whyNoZip } from "./archive_kind.js";
import { h, icon, put } from "./dom.js";
import { dropZone } from "./drop.js";
import { bytes, number, percent, remaining } from "./format.js";
import { t, tn } from "./i18n.js";
import { uploadForm } from "./upload_form.js";
import { Transfer, created, fingerprint, fits, terminate, unfinished } from "./resumable.js";
import { bar, moveBar } from "./status.js";

const RESUMABLE_FROM = 20 * 1024 ** 2; // smaller files are sent again as quickly as they are gone on with

export class Uploads {
  /** @param limits {most, post}: bytes of a file, and of one that is sent in a plain POST */
  constructor(place, limits, changed) {
    Object.assign(this, { place, limits, changed, queue: Promise.resolve(), early: new Map(), choose: null });
    this.items = new Set();
  }

  watch(zone) {
    dropZone(zone, (files) => this.add(files));
  }

  add(files) {
    for (const file of files) {
      const kept = [...this.items].find((item) => item.kept?.fingerprint === fingerprint(file));
      if (kept) kept.goOn(file);
      else this.show(new Upload(file, this));
    }
    if (files.length) this.place.lastElementChild.querySelector("input")?.focus();
  }

  /** One click for all forms, where there are several. */
  offerAll() {
    const forms = [...this.items].map((item) => item.asking).filter(Boolean);
    this.all?.remove();
    if (forms.length < 2) return;
    this.all = h("div", { class: "upload-all" }, small("upload", tn("Upload {n} file", "Upload all {n} files", forms.length), () => forms.forEach((form) => form.requestSubmit())));
    this.place.prepend(this.all);
  }

  show(item) {
    this.items.add(item);
    this.place.append(item.element);
    this.offerAll();
  }

  /** What this browser began before the page was loaded. */
  async showUnfinished() {
    const found = await unfinished();
    for (const kept of found) {
      const item = new Upload({ name: kept.filename, size: kept.length }, this, kept);
      this.show(item);
      item.found();
    }
    return new Set(found.map(({ id }) => id));
  }

  /** Send after what is being sent now. */
  send(item) {
    this.queue = this.queue.then(() => item.send());
  }

  checked(id, update) {
    this.early.set(id, update);
    for (const item of this.items) if (item.id === id) item.checked(update);
  }

  remove(item) {
    item.element.remove();
    this.items.delete(item);
    this.offerAll();
  }
}

const small = (symbol, label, act) => h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: act }, symbol && [icon(symbol), " "], label);

class Upload {
  /** @param kept an upload of `unfinished`; `file` is then its name and size, until the file itself is chosen again */
  constructor(file, uploads, kept = null) {
    Object.assign(this, { file, uploads, kept, id: null });
    this.element = h("section", { class: "panel upload", "aria-label": file.name });
    if (kept) return;
    const reason = this.refusal();
    if (reason) this.failed({ title: t("This file can't be uploaded"), detail: reason });
    else { this.ask(); this.look(); }
  }

  /** Refuse what is no ZIP, or half of one, before it is sent. A file that cannot be read says so when it is. */
  async look() {
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
    if (this.file.size > most) return t("The file has {size}; the server accepts up to {limit}.", { size: bytes(this.file.size), limit: bytes(most) });
    return null;
  }

  ask() {
    this.asking = uploadForm(this.file, this.form, { send: (form) => this.begin(form), cancel: () => this.uploads.remove(this) });
    put(this.element, this.head(bytes(this.file.size)), this.asking);
    this.uploads.offerAll();
  }

  head(right) {
    return h("div", { class: "upload-head" }, h("span", { title: this.file.name }, icon("file-earmark-zip"), " ", this.file.name), h("span", { class: "quiet tabular nowrap" }, right));
  }

  begin(form) {
    Object.assign(this, { form, asking: null, gone: false });
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
      interrupted: () => this.show(t("Connection lost. The upload resumes automatically when the connection is back."), this.share ? percent(this.share) : "", this.share ?? null, "interrupted", () => [this.pauseButton(), this.cancelButton()]),
    });
  }

  queueUp() {
    this.show(t("Waiting for the previous upload"), "", this.share ?? 0, "waiting", () => [this.cancelButton()]);
    this.uploads.send(this);
  }

  /** `actions` makes the buttons; they stay while `kind` does, and keep the focus. */
  show(left, right, value, kind = "", actions = () => []) {
    if (!this.bar) {
      Object.assign(this, { left: h("span", {}), right: h("span", {}), tools: h("span", { class: "upload-tools" }), kind: "" });
      this.bar = bar(value, "", this.file.name);
      put(this.element, this.head(bytes(this.file.size)), this.bar,
        h("div", { class: "upload-foot" }, h("span", { "aria-live": "polite" }, this.left), h("span", { class: "upload-right" }, this.right, this.tools)));
    }
    put(this.left, left);
    put(this.right, right);
    if (kind !== this.kind || !kind) put(this.tools, actions());
    this.kind = kind;
    this.bar.classList.toggle("is-open", value === null);
    if (value !== null) moveBar(this.bar, value);
  }

  progress({ sent, total, rate, left }, kind, actions) {
    this.share = sent / total;
    if (sent < total) this.show([percent(sent / total), " · ", t("{sent} of {total}", { sent: bytes(sent), total: bytes(total) })], rate ? `${bytes(rate)}/s · ${remaining(left)}` : "", sent / total, kind, actions);
    else this.show(t("Uploaded. Extracting on the server."), "", null);
  }

  async send() {
    if (this.gone) return;
    try {
      const id = this.transfer ? await this.sendInChunks() : await this.sendAtOnce();
      if (id) this.received(id);
    } catch (error) {
      this.transfer?.forget();
      this.failed(error);
    }
  }

  async sendAtOnce() {
    const body = new FormData();
    for (const [name, value] of this.form) body.append(name, value);
    body.append("file", this.file);
    const { done, abort } = upload("/api/datasets", body, (state) => this.progress(state, "sending", () => [small(null, t("Cancel"), abort)]));
    return (await done).dataset_id;
  }

  /** The dataset's id; null when it was paused or cancelled, and the next in the queue has its turn. */
  async sendInChunks() {
    if (!(await this.transfer.run())) return null;
    this.show(t("Uploaded. Extracting on the server."), "", null);
    const id = await created(this.transfer.id);
    this.transfer.forget();
    return id;
  }

  received(id) {
    this.id = id;
    this.show(t("Extracted. Starting the dataset check."), this.link(), null);
    this.uploads.changed();
    if (this.uploads.early.has(id)) this.checked(this.uploads.early.get(id));
  }

  pauseButton() {
    return small("pause-fill", t("Pause"), () => {
      this.transfer.pause();
      this.show(t("Paused. The upload resumes where it stopped."), "", this.share ?? 0, "paused", () => [small("play-fill", t("Resume"), () => this.queueUp()), this.cancelButton()]);
    });
  }

  cancelButton() {
    return small(null, t("Cancel"), async () => {
      this.gone = true;
      this.uploads.remove(this);
      await this.transfer?.cancel();
    });
  }

  /** An upload of an earlier page: it waits for its file, or its dataset is being made, or it was refused. */
  async found() {
    const { entry, state, offset, length, id } = this.kept;
    if (state === "receiving") {
      this.show([t("The upload stopped at {percent}.", { percent: percent(offset / length) }), " ", t("Choose the same file again to resume the upload.")], "", offset / length, "kept", () => [
        small("folder2-open", t("Choose file"), () => this.uploads.choose()),
        small(null, t("Cancel"), () => { this.uploads.remove(this); terminate(entry); }),
      ]);
      return;
    }
    this.transfer = new Transfer(this.file, {}, {});
    this.transfer.from(entry);
    this.show(t("Uploaded. Extracting on the server."), "", null);
    try { this.received(await created(id)); } catch (error) { this.failed(error); }
    this.transfer.forget();
  }

  goOn(file) {
    this.file = file;
    this.transfer = this.inChunks(this.kept.entry.metadata);
    this.transfer.from(this.kept.entry);
    this.kept = null;
    this.queueUp();
  }

  link(text = t("Open")) {
    return h("a", { href: `/datasets/${this.id}` }, text);
  }

  closeButton() {
    return h("button", { class: "btn-close", type: "button", "aria-label": t("Close"), onclick: () => this.uploads.remove(this) });
  }

  checked({ status, done, total }) {
    if (status === "valid") this.end(icon("check-circle-fill"), t("Ready for training."), "is-completed", [this.link(t("View dataset")), " ", h("a", { href: `/trainings/new?dataset_id=${this.id}` }, t("Train on this dataset"))]);
    else if (status === "invalid") this.refused();
    else if (total) this.show(t("Checking images: {done} of {total}", { done: number(done), total: number(total) }), this.link(), done / total);
  }

  /** The reason comes by REST, in the reader's language; a message to all is in the server's. */
  async refused() {
    const { error } = await get(`/api/datasets/${this.id}`).catch(() => ({}));
    this.end(icon("x-octagon-fill"), error || t("This dataset can't be used for training. Open it to see why."), "is-failed", this.link());
  }

  end(symbol, text, look, link) {
    this.show([symbol, " ", text], link, 1, "", () => [this.closeButton()]);
    this.bar.firstElementChild.className = `bar-fill ${look}`;
  }

  failed(error) {
    this.bar = null;
    const fields = error.errors?.map((item) => h("li", {}, `${item.field}: ${item.message}`)) || [];
    const title = [400, 422].includes(error.status) ? t("The dataset couldn't be created") : error.title;
    const retry = () => error.again().then(() => created(this.transfer.id)).then((id) => this.received(id)).catch((next) => this.failed(next));
    put(this.element, h("div", { class: "notice", role: "alert" }, icon("exclamation-octagon-fill"),
      h("div", { class: "notice-text" }, h("strong", {}, `${this.file.name}: ${title}`), error.detail, fields.length > 0 && h("ul", {}, fields)),
      error.again && small("arrow-clockwise", t("Try again"), () => { this.show(t("Uploaded. Extracting on the server."), "", null); retry(); }),
      this.form && small(null, t("Edit and try again"), () => { this.bar = null; this.ask(); }),
      this.closeButton()));
  }
}
