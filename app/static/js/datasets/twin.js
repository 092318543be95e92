/* The other image of a duplicate or a leak, beside the shown one, so that they can be compared. */
import { h, setChildren } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { splitName } from "../lib/vocabulary.js";

const splitTag = (split) => h("span", { class: `split-tag split-tag-${split}` }, splitName(split));

/** `own`: the caption of the shown image; `figure`: the other one. */
export class Twin {
  constructor() {
    this.own = h("p", { class: "viewer-own" });
    this.figure = h("figure", { class: "viewer-twin", hidden: true });
  }

  /** Show the other image that an issue of this one names; returns whether there is one. */
  show({ findings = [], split, file }) {
    const other = findings.map((item) => item.other).find((item) => item?.url);
    this.figure.hidden = !other;
    if (!other) {
      setChildren(this.figure);
      return false;
    }
    setChildren(
      this.figure,
      h("figcaption", {}, splitTag(other.split), " ", h("span", { class: "file" }, other.file)),
      h("img", { src: other.url, alt: t("The other image: {file}", { file: other.file }), draggable: "false" }),
    );
    setChildren(this.own, splitTag(split), " ", h("span", { class: "file" }, file));
    return true;
  }
}
