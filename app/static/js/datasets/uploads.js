/* Uploads of datasets: a form for each file, then its transfer, then its validation. One is sent at a time. */
import { h } from "../lib/dom.js";
import { dropZone } from "../ui/drop.js";
import { tn } from "../lib/i18n.js";
import { fingerprint, unfinished } from "./resumable.js";
import { Upload } from "./upload.js";
import { small } from "./upload_panel.js";

export class Uploads {
  /** @param {HTMLElement} container
   *  @param {{most: number, post: number}} limits bytes of a file, and of one that is sent in a plain POST
   *  @param {() => void} changed */
  constructor(container, limits, changed) {
    this.container = container;
    this.limits = limits;
    this.changed = changed;
    this.queue = Promise.resolve();
    this.early = new Map();
    this.choose = null;
    this.items = new Set();
  }

  watch(zone) {
    dropZone(zone, (files) => this.add(files));
  }

  add(files) {
    for (const file of files) {
      const waiting = [...this.items].find((item) => item.resumable?.fingerprint === fingerprint(file));
      if (waiting) waiting.goOn(file);
      else this.show(new Upload(file, this));
    }
    if (files.length) this.container.lastElementChild.querySelector("input")?.focus();
  }

  /** One click for all forms, if there are several. */
  offerAll() {
    const forms = [...this.items].map((item) => item.asking).filter(Boolean);
    this.all?.remove();
    if (forms.length < 2) return;
    this.all = h(
      "div",
      { class: "upload-all" },
      small("upload", tn("Upload {n} file", "Upload all {n} files", forms.length), () =>
        forms.forEach((form) => form.requestSubmit()),
      ),
    );
    this.container.prepend(this.all);
  }

  show(item) {
    this.items.add(item);
    this.container.append(item.panel.element);
    this.offerAll();
  }

  /** The uploads that this browser started before the page was loaded. */
  async showUnfinished() {
    const entries = await unfinished();
    for (const entry of entries) {
      const item = new Upload({ name: entry.filename, size: entry.length }, this, entry);
      this.show(item);
      item.offerToResume();
    }
    return new Set(entries.map(({ id }) => id));
  }

  /** Queue it after the present upload. */
  send(item) {
    this.queue = this.queue.then(() => item.send());
  }

  checked(id, update) {
    this.early.set(id, update);
    for (const item of this.items) if (item.id === id) item.checked(update);
  }

  remove(item) {
    item.panel.element.remove();
    this.items.delete(item);
    this.offerAll();
  }
}
