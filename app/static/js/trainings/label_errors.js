/* Suspected label errors, the most suspicious first: the label, and the model's detection. */
import { get } from "../lib/api.js";
import { $, failure, h, setChildren } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { lightbox } from "../ui/lightbox.js";
import { MarkedPicture } from "../ui/marked_picture.js";
import { showPager } from "../ui/pager.js";
import { pagesOf } from "../ui/pages.js";
import { shape } from "./placed.js";

const PER_PAGE = 12;
const LABELLED = "#ffb000";
const DETECTED = "#157a3c";
const KINDS = {
  "": () => t("All"),
  missing: () => t("Missing label"),
  extra: () => t("Label without an object"),
  wrong_class: () => t("Wrong class"),
  bad_box: () => t("Inaccurate box"),
};

export class LabelErrors {
  /** `dataset`: the id of the dataset whose images were evaluated; null: it was deleted. */
  constructor(panel, { address, task, names, dataset }) {
    this.panel = panel;
    this.address = address;
    this.whole = task === "classify";
    this.names = names;
    this.dataset = dataset;
    this.kind = "";
    this.page = 1;
    this.latest = 0;
    this.load();
  }

  async load() {
    const turn = (this.latest += 1);
    const container = $("[data-suspects]", this.panel);
    const query = new URLSearchParams({ page: String(this.page), per_page: String(PER_PAGE) });
    if (this.kind) query.set("kind", this.kind);
    try {
      const result = await get(`${this.address}/label-errors?${query}`);
      if (turn !== this.latest) return;
      this.list = result;
      this.draw(container, result);
    } catch (error) {
      if (turn === this.latest)
        setChildren(
          container,
          failure(error, () => this.load()),
        );
    }
  }

  draw(container, answer) {
    const all = Object.values(answer.counts).reduce((sum, count) => sum + count, 0);
    setChildren(
      $("[data-suspect-total]", this.panel),
      all ? tn("{n} suspected error", "{n} suspected errors", all) : "",
    );
    setChildren($("[data-suspect-kinds]", this.panel), all && !this.whole ? this.kinds(answer.counts) : null);
    setChildren($("[data-suspect-legend]", this.panel), all && !this.whole ? legend() : null);
    showPager($("[data-suspect-pager]", this.panel), answer, (page) => this.go(page));
    setChildren(
      container,
      answer.suspects.length
        ? h(
            "div",
            { class: "previews evaluated" },
            answer.suspects.map((item, index) => this.tile(item, () => this.open(index))),
          )
        : h("p", { class: "panel-empty" }, t("No label looks like an error.")),
    );
  }

  kinds(counts) {
    const button = (kind) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          "aria-pressed": String(kind === this.kind),
          onclick: () => {
            this.kind = kind;
            this.page = 1;
            this.load();
          },
        },
        KINDS[kind](),
        kind ? ` ${number(counts[kind])}` : "",
      );
    return Object.keys(KINDS).map(button);
  }

  async go(page) {
    this.page = page;
    await this.load();
    this.panel.scrollIntoView({ block: "start" });
  }

  tile(item, open) {
    return h(
      "button",
      { class: "preview preview-open", type: "button", title: item.image.file, onclick: open },
      this.picture(item, item.image.thumbnail),
      h("span", { class: "under" }, KINDS[item.kind]()),
      h("span", { class: "under" }, about(item)),
    );
  }

  picture({ image, object, detection }, url) {
    if (this.whole) return h("img", { src: url, alt: image.file, loading: "lazy", class: "shapes" });
    const view = new MarkedPicture(url, image, image.file);
    const { names } = this;
    const layer = (item, colour, more) => ({
      shapes: item ? [shape(item, image, names)] : [],
      names,
      colour: () => colour,
      ...more,
    });
    view.draw([layer(object, LABELLED, { truth: true }), layer(detection, DETECTED, { labels: true })]);
    return view.element;
  }

  open(start) {
    lightbox(this.items(), start, pagesOf(this, PER_PAGE));
  }

  /** The items of the page, for the lightbox. */
  items() {
    return this.list.suspects.map((item) => ({
      title: item.image.file,
      body: () => [
        this.picture(item, item.image.url),
        this.whole ? null : legend(),
        h("p", {}, KINDS[item.kind](), ": ", about(item)),
        this.dataset && h("p", {}, h("a", { href: this.viewer(item) }, t("Open the image in the dataset"))),
      ],
    }));
  }

  /** The image in the dataset, where its labels can be inspected and fixed. */
  viewer({ image }) {
    return `/datasets/${this.dataset}?${new URLSearchParams({ tab: "images", search: image.file.split("/").pop() })}`;
  }
}

/** The label and the detection, in words. */
function about({ object, detection }) {
  return [
    object && t("annotated as {name}", { name: object.class }),
    detection &&
      t("detected as {name} ({confidence})", { name: detection.class, confidence: percent(detection.confidence) }),
    object && !detection && t("not detected"),
  ]
    .filter(Boolean)
    .join(", ");
}

function legend() {
  const entry = (colour, text) =>
    h("span", { class: "legend-item", style: { "--ink": colour } }, h("span", { class: "evaluated-ink" }), text);
  return h("p", { class: "legend evaluated-legend" }, entry(LABELLED, t("Label")), entry(DETECTED, t("Detection")));
}
