/* Uploads of datasets: a form a file, then its bytes, then its check. One is sent at a time. */
import { get, upload } from "./api.js";
import { h, icon, put } from "./dom.js";
import { dropZone } from "./drop.js";
import { bytes, number, percent, remaining } from "./format.js";
import { t } from "./i18n.js";
import { bar, moveBar } from "./status.js";

let serial = 0;

export class Uploads {
  constructor(place, limit, changed) {
    Object.assign(this, { place, limit, changed, queue: Promise.resolve(), early: new Map() });
    this.items = new Set();
  }

  watch(zone) {
    dropZone(zone, (files) => this.add(files));
  }

  add(files) {
    for (const file of files) {
      const item = new Upload(file, this);
      this.items.add(item);
      this.place.append(item.element);
    }
    if (files.length) this.place.lastElementChild.querySelector("input")?.focus();
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
  }
}

class Upload {
  constructor(file, uploads) {
    Object.assign(this, { file, uploads, id: null });
    this.element = h("section", { class: "panel upload", "aria-label": file.name });
    const reason = this.refusal();
    if (reason) this.failed({ title: t("This file cannot be uploaded"), detail: reason });
    else this.ask();
  }

  refusal() {
    if (!/\.zip$/i.test(this.file.name)) return t("It is not a ZIP file.");
    if (this.file.size > this.uploads.limit) return t("It has {size}; the server takes {limit} at most.", { size: bytes(this.file.size), limit: bytes(this.uploads.limit) });
    return null;
  }

  field(name, label, attributes) {
    const id = `upload-${name}-${(serial += 1)}`;
    return h("div", { class: "field" }, h("label", { class: "form-label", for: id }, label), h("input", { class: "form-control", id, name, autocomplete: "off", ...attributes }));
  }

  ask() {
    const form = h("form", { class: "upload-form", onsubmit: (event) => { event.preventDefault(); this.begin(new FormData(form)); } },
      this.field("name", t("Name"), { value: this.file.name.replace(/\.zip$/i, "").slice(0, 100), maxlength: 100, required: true }),
      this.field("description", t("Description (optional)"), { maxlength: 5000 }),
      this.field("classes", t("Classes, if data.yaml is missing"), { placeholder: t("car, truck, bus") }),
      h("div", { class: "page-actions" },
        h("button", { class: "btn btn-outline", type: "button", onclick: () => this.uploads.remove(this) }, t("Cancel")),
        h("button", { class: "btn btn-primary", type: "submit" }, icon("upload"), " ", t("Upload"))));
    put(this.element, this.head(bytes(this.file.size)), form);
  }

  head(right) {
    return h("div", { class: "upload-head" }, h("span", { title: this.file.name }, icon("file-earmark-zip"), " ", this.file.name), h("span", { class: "quiet tabular nowrap" }, right));
  }

  begin(form) {
    form.append("file", this.file);
    this.form = form;
    this.show(t("Waiting for the upload before it"), "", null);
    this.uploads.send(this);
  }

  show(left, right, value, action) {
    this.left ??= h("span", {});
    this.right ??= h("span", {});
    if (!this.bar) {
      this.bar = bar(value, "", this.file.name);
      put(this.element, this.head(bytes(this.file.size)), this.bar, h("div", { class: "upload-foot", "aria-live": "polite" }, this.left, this.right));
    }
    put(this.left, left);
    put(this.right, right, action ? [" ", action] : []);
    if (value !== null) moveBar(this.bar, value);
    else this.bar.classList.add("is-open");
  }

  async send() {
    const { done, abort } = upload("/api/datasets", this.form, ({ sent, total, rate, left }) => {
      if (sent < total) this.show([percent(sent / total), " · ", t("{sent} of {total}", { sent: bytes(sent), total: bytes(total) })], rate ? `${bytes(rate)}/s · ${remaining(left)}` : "", sent / total, cancel);
      else this.show(t("Sent. The server unpacks it."), "", null);
    });
    const cancel = h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: abort }, t("Cancel"));
    try {
      const { dataset_id: id } = await done;
      this.id = id;
      this.show(t("Unpacked. The check begins."), this.link(), null);
      this.uploads.changed();
      if (this.uploads.early.has(id)) this.checked(this.uploads.early.get(id));
    } catch (error) {
      this.failed(error);
    }
  }

  link() {
    return h("a", { href: `/datasets/${this.id}` }, t("Open"));
  }

  checked({ status, done, total }) {
    if (status === "valid") this.end(icon("check-circle-fill"), t("Ready to train on."), "is-completed", h("a", { href: `/trainings/new?dataset_id=${this.id}` }, t("Train on it")));
    else if (status === "invalid") this.refused();
    else if (total) this.show(t("Checking: {done} of {total} pictures", { done: number(done), total: number(total) }), this.link(), done / total);
  }

  /** The reason comes by REST, in the reader's language; a message to all is in the server's. */
  async refused() {
    const { error } = await get(`/api/datasets/${this.id}`).catch(() => ({}));
    this.end(icon("x-octagon-fill"), error || t("It cannot be trained on. Open it to see why."), "is-failed", this.link());
  }

  end(symbol, text, look, link) {
    this.show([symbol, " ", text], link, 1);
    this.bar.firstElementChild.className = `bar-fill ${look}`;
  }

  failed(error) {
    this.bar = null;
    const fields = error.errors?.map((item) => h("li", {}, `${item.field}: ${item.message}`)) || [];
    put(this.element, h("div", { class: "notice", role: "alert" }, icon("exclamation-octagon-fill"),
      h("div", { class: "notice-text" }, h("strong", {}, `${this.file.name}: ${error.title}`), error.detail, fields.length > 0 && h("ul", {}, fields)),
      this.form && h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: () => { this.bar = null; this.ask(); } }, t("Change and try again")),
      h("button", { class: "btn-close", type: "button", "aria-label": t("Close"), onclick: () => this.uploads.remove(this) })));
  }
}
