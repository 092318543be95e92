/* Every image of an evaluation, filtered by its correct or wrong detections; arrow keys step through them, across
   pages, too. */
import { get } from "../lib/api.js";
import { $, $$, failure, h, icon, setChildren } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { lightbox } from "../ui/lightbox.js";
import { pagesOf } from "../ui/pages.js";
import { showPager } from "../ui/pager.js";
import { INKS, marked } from "./placed.js";

const PER_PAGE = 12;
const KINDS = {
  "": () => t("All"),
  missed: () => t("False negative"),
  false: () => t("False positive"),
  wrong_class: () => t("Wrong class"),
  duplicate: () => t("Duplicate"),
  correct: () => t("Correct"),
};
const IMAGE_KINDS = new Set(["", "wrong_class", "correct"]);

export class ErrorBrowser {
  /** `thresholds()`: the query's confidence and IoU. */
  constructor(panel, { address, task, names, thresholds }) {
    this.panel = panel;
    this.address = address;
    this.task = task;
    this.names = names;
    this.thresholds = thresholds;
    /** @type {Record<string, string | undefined>} */
    this.query = { kind: "" };
    this.page = 1;
    this.latest = 0;
    for (const select of $$("select", panel)) {
      select.addEventListener("change", () => this.filter({ [select.name]: select.value }));
      this.query[select.name] = select.value;
    }
    this.counts({});
  }

  /** The number of each kind, as buttons. */
  counts(counts) {
    this.errorCounts = counts;
    const kinds = Object.keys(KINDS).filter((kind) => this.task !== "classify" || IMAGE_KINDS.has(kind));
    setChildren(
      $("[data-kinds]", this.panel),
      kinds.map((kind) =>
        h(
          "button",
          {
            class: "segment",
            type: "button",
            "aria-pressed": String(kind === this.query.kind),
            onclick: () => this.filter({ kind }),
          },
          KINDS[kind](),
          kind && counts[kind] !== undefined ? ` ${number(counts[kind])}` : "",
        ),
      ),
    );
  }

  filter(changes) {
    Object.assign(this.query, changes);
    this.page = 1;
    this.counts(this.errorCounts);
    return this.load();
  }

  /** Show only the images behind a cell of the matrix, or of a class. */
  show(requested) {
    this.query = { sort: this.query.sort, kind: "", size: "", class: "" };
    for (const select of $$("select", this.panel))
      if (select.name !== "sort") select.value = requested[select.name] ?? "";
    this.filter(requested);
    this.panel.scrollIntoView({ block: "start" });
  }

  /** The request's parameters: empty filters are left out, but an empty class of a cell is the background. */
  parameters(page = this.page) {
    const { actual, predicted, ...rest } = this.query;
    const filled = Object.fromEntries(Object.entries(rest).filter(([, value]) => value));
    const cell = actual === undefined ? {} : { actual, predicted };
    return new URLSearchParams({
      ...filled,
      ...cell,
      ...this.thresholds(),
      page: String(page),
      per_page: String(PER_PAGE),
    });
  }

  async load() {
    this.latest += 1;
    const turn = this.latest;
    const container = $("[data-images]", this.panel);
    this.cell();
    try {
      const result = await get(`${this.address}/images?${this.parameters()}`);
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

  /** The selected cell of the matrix, with a button back. */
  cell() {
    const { actual, predicted } = this.query;
    const label = (name) => name || t("background");
    setChildren(
      $("[data-cell]", this.panel),
      actual !== undefined &&
        h(
          "button",
          {
            class: "btn btn-outline btn-sm",
            type: "button",
            onclick: () => this.filter({ actual: undefined, predicted: undefined }),
          },
          t("Actual: {actual}, predicted: {predicted}", { actual: label(actual), predicted: label(predicted) }),
          " ",
          icon("x-lg"),
        ),
    );
  }

  draw(container, answer) {
    setChildren($("[data-total]", this.panel), tn("{n} image", "{n} images", answer.total));
    setChildren($("[data-legend]", this.panel), this.task !== "classify" && answer.images.length ? legend() : null);
    showPager($("[data-pager]", this.panel), answer, (page) => this.go(page));
    setChildren(
      container,
      answer.images.length
        ? h(
            "div",
            { class: "previews evaluated" },
            answer.images.map((image, index) => this.tile(image, index)),
          )
        : h("p", { class: "panel-empty" }, t("No image matches these filters.")),
    );
  }

  async go(page) {
    this.page = page;
    await this.load();
    this.panel.scrollIntoView({ block: "start" });
  }

  tile(image, index) {
    return h(
      "button",
      { class: "preview preview-open", type: "button", title: image.file, onclick: () => this.open(index) },
      this.picture(image, image.thumbnail),
      h("span", { class: "under" }, image.errors ? tn("{n} error", "{n} errors", image.errors) : t("No errors")),
      h("span", { class: "under" }, image.file.split("/").pop()),
    );
  }

  picture(image, url) {
    return marked(image, url, this);
  }

  open(start) {
    lightbox(this.items(), start, pagesOf(this, PER_PAGE));
  }

  /** The images of the page, for the lightbox. */
  items() {
    return this.list.images.map((image) => ({
      title: image.file,
      body: () => [this.picture(image, image.url), this.task === "classify" ? null : legend(), description(image)],
    }));
  }
}

function legend() {
  const entry = (kind) =>
    h(
      "span",
      { class: "legend-item", style: { "--ink": INKS[kind] } },
      h("span", { class: "evaluated-ink" }),
      KINDS[kind](),
    );
  return h(
    "p",
    { class: "legend evaluated-legend" },
    ["correct", "false", "wrong_class", "duplicate", "missed"].map(entry),
  );
}

/** The errors of an image in words. */
function description(image) {
  const lines = [
    ...image.objects.filter(({ kind }) => kind === "missed").map((item) => [KINDS.missed(), item.class, ""]),
    ...image.detections
      .filter(({ kind }) => kind && kind !== "correct")
      .map((item) => [
        KINDS[item.kind](),
        item.object === null
          ? item.class
          : t("{truth} as {name}", { truth: image.objects[item.object].class, name: item.class }),
        percent(item.confidence),
      ]),
  ];
  return lines.length
    ? h(
        "ul",
        {},
        lines.map((line) => h("li", {}, line.filter(Boolean).join(" · "))),
      )
    : null;
}
