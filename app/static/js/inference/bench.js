/* The selected image, by one model or by two side by side, and the list of its detections. */
import { $, h, setChildren, skeleton } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { match } from "./matching.js";
import { showDifferences, showDetections, showTwoChoices } from "./results.js";
import { settings } from "./settings.js";
import { picture, Viewer } from "./viewer.js";

export class Bench {
  /** `pictures` provides addresses; `comparing()` returns whether there are two models. */
  constructor(pictures, comparing) {
    this.pictures = pictures;
    this.comparing = comparing;
    this.item = null;
    this.viewers = {};
    this.captions = {};
    this.rendered = "";
    this.container = $("[data-picture]");
    this.results = $("[data-found]");
  }

  select(item) {
    this.item = item;
    this.refresh();
  }

  /** A test from the history has the answer of one model only. */
  get sides() {
    return this.comparing() && this.item?.file ? ["a", "b"] : ["a"];
  }

  /** A comparison shows nothing until both models have answered: a bare image would look as if nothing was detected. */
  get waiting() {
    const { item, sides } = this;
    return (
      sides.length > 1 &&
      item.state !== "failed" &&
      (item.state !== "done" || this.pictures.stale(item) || sides.some((side) => !item.answers[side]))
    );
  }

  refresh() {
    const { item } = this;
    $("[data-drop]").classList.toggle("drop-tall", !item);
    this.container.hidden = !item;
    if (!item) {
      this.clear();
      return;
    }
    this.make();
    for (const side of this.sides) {
      this.viewers[side]?.show(item.answers[side]?.detections, item.answers[side]?.size);
      if (this.captions[side]) this.captions[side].textContent = captionOf(item, side);
    }
    this.list();
  }

  clear() {
    this.end();
    $("[data-found-count]").textContent = "";
    setChildren($("[data-times]"));
    setChildren(this.results, h("p", { class: "panel-empty" }, t("Detections are listed here.")));
  }

  end() {
    for (const viewer of Object.values(this.viewers)) viewer.end();
    this.viewers = {};
    this.captions = {};
    this.rendered = "";
    setChildren(this.container);
  }

  /** Create the image's elements, unless they exist. */
  make() {
    const { item } = this;
    const drawn = item.unshowable && this.sides.map((side) => item.answers[side]?.image_url || "").join();
    const rendered = [item.id, this.sides.length, item.state === "failed", this.waiting, drawn].join();
    if (rendered === this.rendered) return;
    this.end();
    this.rendered = rendered;
    this.container.classList.toggle("is-two", this.sides.length > 1 && !this.waiting);
    if (item.state === "failed") {
      setChildren(this.container, this.refused(item));
      return;
    }
    if (this.waiting) {
      setChildren(
        this.container,
        h("p", { class: "panel-empty", role: "status" }, t("Both models are analyzing the image…")),
        skeleton(4),
      );
      return;
    }
    setChildren(
      this.container,
      this.sides.map((side) => this.figure(item, side)),
    );
  }

  refused(item) {
    return h(
      "div",
      { class: "notice", role: "alert" },
      h("i", { class: "bi bi-file-earmark-x", "aria-hidden": "true" }),
      h("div", { class: "notice-text" }, h("strong", {}, item.name), item.error),
    );
  }

  figure(item, side) {
    const figure = h("figure", { class: "test-figure", "data-side": side });
    this.captions[side] = h("span");
    const caption = h(
      "span",
      {},
      this.comparing() && h("strong", { class: "test-letter" }, side.toUpperCase()),
      this.captions[side],
    );
    if (!item.unshowable) {
      const image = picture(this.pictures.address(item), item.name, () => {
        item.unshowable = true;
        this.refresh();
      });
      this.viewers[side] = new Viewer(figure, image, caption);
      return figure;
    }
    const drawn = item.answers[side]?.image_url;
    const note = h(
      "p",
      { class: "panel-empty" },
      drawn
        ? t("The browser can't display this image format. These are the boxes drawn by the server.")
        : t("The browser can't display this image format. Detections are listed below."),
    );
    return setChildren(figure, drawn && h("img", { class: "test-plain", src: drawn, alt: item.name }), note);
  }

  /** The list beside the image. */
  list() {
    const { item, results } = this;
    const answers = this.sides.map((side) => item.answers[side]);
    setChildren(
      $("[data-times]"),
      answers
        .filter(Boolean)
        .map((answer) =>
          h(
            "span",
            { class: "test-time", title: t("Model only; total: {total} ms", { total: number(answer.total) }) },
            t("{time} ms", { time: number(answer.time, 1) }),
          ),
        ),
    );
    if (item.state === "failed") {
      $("[data-found-count]").textContent = "";
      setChildren(results, h("p", { class: "panel-empty" }, t("This image can't be used.")));
      return;
    }
    if (this.waiting || answers.some((answer) => !answer)) {
      $("[data-found-count]").textContent = "";
      setChildren($("[data-times]"));
      setChildren(results, h("p", { class: "panel-empty" }, t("Analyzing…")), skeleton(3));
      return;
    }
    this.count(answers.map((answer) => settings.visible(answer.detections)));
  }

  /** @param {any[][]} answers */
  count([first, second]) {
    $("[data-found-count]").textContent = first[0]?.top5 ? "" : number(first.length);
    if (!second) {
      showDetections(this.results, first, (item) => this.viewers.a?.mark(item));
      return;
    }
    if (first[0]?.top5 && second[0]?.top5) {
      showTwoChoices(this.results, first[0], second[0]);
      return;
    }
    const rows = match(first, second);
    $("[data-found-count]").textContent = number(rows.length);
    const both = new Set(rows.filter(({ a, b }) => a && b).flatMap(({ a, b }) => [a, b]));
    const emphasis = (item) => (both.has(item) ? { quiet: true } : { strong: true });
    for (const side of this.sides)
      this.viewers[side]?.show(this.item.answers[side].detections, this.item.answers[side].size, emphasis);
    showDifferences(this.results, rows, (a, b) => {
      this.viewers.a?.mark(a);
      this.viewers.b?.mark(b);
    });
  }
}

/** Below an image without boxes, the reason: it is not analyzed yet. */
function captionOf({ answers, name, state }, side) {
  if (answers[side]) return answers[side].model || name;
  const words = { waiting: t("queued"), sending: t("analyzing…") };
  return words[state] ? `${name} · ${words[state]}` : name;
}
