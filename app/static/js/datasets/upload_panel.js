/* The display of one upload: the file, and below it a form, its progress, or why it failed. */
import { h, icon, setChildren } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { bar, moveBar } from "../ui/status.js";

/** @param {string | null} symbol @param {string} label @param {() => any} act */
export const small = (symbol, label, act) =>
  h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: act }, symbol && [icon(symbol), " "], label);

export class UploadPanel {
  /** @param {{name: string, size: number}} file @param {() => void} close */
  constructor(file, close) {
    this.file = file;
    this.close = close;
    this.kind = "";
    /** @type {HTMLElement | null} */
    this.bar = null;
    this.element = h("section", { class: "panel upload", "aria-label": file.name });
  }

  /** @param {HTMLElement} form */
  ask(form) {
    this.bar = null;
    setChildren(this.element, this.head(), form);
  }

  head() {
    return h(
      "div",
      { class: "upload-head" },
      h("span", { title: this.file.name }, icon("file-earmark-zip"), " ", this.file.name),
      h("span", { class: "quiet tabular nowrap" }, bytes(this.file.size)),
    );
  }

  /** `actions` creates the buttons; they stay while `kind` does, and keep the focus.
   *  @param {any} left @param {any} right @param {number | null} value the share; null: not known
   *  @param {string} kind @param {() => any[]} actions */
  show(left, right, value, kind = "", actions = () => []) {
    if (!this.bar) this.build(value);
    setChildren(this.left, left);
    setChildren(this.right, right);
    if (kind !== this.kind || !kind) setChildren(this.tools, actions());
    this.kind = kind;
    this.bar.classList.toggle("is-open", value === null);
    if (value !== null) moveBar(this.bar, value);
  }

  /** @param {number | null} value */
  build(value) {
    this.left = h("span", {});
    this.right = h("span", {});
    this.tools = h("span", { class: "upload-tools" });
    this.kind = "";
    this.bar = bar(value, "", this.file.name);
    setChildren(
      this.element,
      this.head(),
      this.bar,
      h(
        "div",
        { class: "upload-foot" },
        h("span", { "aria-live": "polite" }, this.left),
        h("span", { class: "upload-right" }, this.right, this.tools),
      ),
    );
  }

  /** @param {any} symbol @param {string} text @param {string} className @param {any} link */
  end(symbol, text, className, link) {
    this.show([symbol, " ", text], link, 1, "", () => [this.closeButton()]);
    this.bar.firstElementChild.className = `bar-fill ${className}`;
  }

  /** @param {string} title @param {{detail?: string, errors?: any[]}} error @param {any[]} actions */
  fail(title, { detail, errors }, actions) {
    this.bar = null;
    const fields = errors?.map((item) => h("li", {}, `${item.field}: ${item.message}`)) || [];
    setChildren(
      this.element,
      h(
        "div",
        { class: "notice", role: "alert" },
        icon("exclamation-octagon-fill"),
        h(
          "div",
          { class: "notice-text" },
          h("strong", {}, `${this.file.name}: ${title}`),
          detail,
          fields.length > 0 && h("ul", {}, fields),
        ),
        actions,
        this.closeButton(),
      ),
    );
  }

  closeButton() {
    return h("button", { class: "btn-close", type: "button", "aria-label": t("Close"), onclick: this.close });
  }
}
