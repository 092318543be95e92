/* The images as a grid: the detections in each, failures, and the selected one. */
import { $, h, icon, setChildren } from "../lib/dom.js";
import { duration, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { showPager } from "../ui/pager.js";
import { settings } from "./settings.js";

const PER_PAGE = 48;

export class Gallery {
  /** `chosen(item)` is called when another image is selected. */
  constructor(pictures, chosen) {
    this.pictures = pictures;
    this.chosen = chosen;
    this.current = null;
    this.page = 1;
    this.tiles = new Map();
    document.addEventListener("keydown", (event) => this.key(event));
    $("[data-clear]").addEventListener("click", () => {
      this.current = null;
      pictures.clear();
      chosen(null);
    });
    $("[data-stop-queue]").addEventListener("click", () => (pictures.busy ? pictures.stop() : pictures.go()));
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (
      !step ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      $("[data-mode-pictures]").hidden ||
      event.target.closest("input, select, textarea, dialog, [role=tablist]")
    )
      return;
    event.preventDefault();
    this.step(step);
  }

  step(by) {
    const { items } = this.pictures;
    const next = items[items.indexOf(this.current) + by];
    if (!next) return;
    const focused = document.activeElement?.closest(".test-tile");
    this.choose(next);
    if (focused) this.tiles.get(next.id)?.focus();
  }

  choose(item) {
    this.current = item;
    this.page = Math.floor(this.pictures.items.indexOf(item) / PER_PAGE) + 1;
    this.show();
    this.chosen(item);
  }

  /** Rebuild it. */
  show() {
    const { items } = this.pictures;
    const from = (this.page - 1) * PER_PAGE;
    const part = items.slice(from, from + PER_PAGE);
    $("[data-gallery]").hidden = items.length < 1;
    const tiles = new Map(part.map((item) => [item.id, this.tiles.get(item.id) || this.tile(item)]));
    this.tiles = tiles;
    if (!sameChildren($("[data-tiles]"), [...tiles.values()])) setChildren($("[data-tiles]"), [...tiles.values()]);
    for (const item of part) this.fill(item);
    showPager(
      $("[data-gallery-pager]"),
      { page: this.page, pages: Math.ceil(items.length / PER_PAGE), per_page: PER_PAGE, total: items.length },
      (page) => {
        this.page = page;
        this.show();
      },
    );
    this.progress();
  }

  tile(item) {
    return h(
      "button",
      { class: "test-tile", type: "button", onclick: () => this.choose(item) },
      h("span", { class: "test-thumb" }),
      h("span", { class: "test-tile-name", title: item.name }, item.name),
      h("span", { class: "test-tile-state" }),
    );
  }

  /** Update one tile. */
  fill(item) {
    const tile = this.tiles.get(item.id);
    if (!tile) return;
    tile.setAttribute("aria-current", item === this.current);
    tile.dataset.state = item.state;
    const thumb = $(".test-thumb", tile);
    if (!thumb.childElementCount) setChildren(thumb, this.thumb(item));
    setChildren($(".test-tile-state", tile), this.words(item));
  }

  thumb(item) {
    if (item.state === "failed" && !item.url) return icon("file-earmark-x");
    const image = h("img", { alt: "", loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => image.replaceWith(icon("image")));
    image.src = this.pictures.address(item);
    return image;
  }

  words(item) {
    if (item.state === "waiting") return [icon("hourglass"), " ", t("queued")];
    if (item.state === "sending") return [icon("arrow-repeat"), " ", t("analyzing…")];
    if (item.state === "failed")
      return [icon("x-octagon-fill"), " ", t("failed"), h("span", { class: "visually-hidden" }, item.error)];
    const two = settings.two && item.answers.b;
    return Object.entries(two ? item.answers : { a: item.answers.a }).map(([side, answer]) => {
      const visible = settings.visible(answer.detections);
      const text =
        answer.task === "classify" && visible.length
          ? `${visible[0].class} ${percent(visible[0].confidence)}`
          : tn("{n} object", "{n} objects", visible.length);
      return h("span", { class: "test-tile-found" }, two ? `${side.toUpperCase()}: ${text}` : text);
    });
  }

  progress() {
    const { items, busy, waiting, began, done, working } = this.pictures;
    const container = $("[data-queue]");
    const failed = items.filter(({ state }) => state === "failed").length;
    const remaining = waiting + working.size;
    const ready = items.length - remaining;
    $("[data-gallery-count]").textContent = items.length > 1 ? number(items.length) : "";
    container.hidden = !remaining;
    if (remaining) {
      const seconds = (performance.now() - began) / 1000;
      const rate = done / seconds;
      const parts = [t("Images: {done} of {total}", { done: number(ready), total: number(items.length) })];
      if (busy && done > 1)
        parts.push(
          t("{rate} per second", { rate: number(rate, 1) }),
          t("about {time} left", { time: duration(remaining / rate) }),
        );
      if (failed) parts.push(tn("{n} failed", "{n} failed", failed));
      $("[data-queue-bar]").style.width = `${(100 * ready) / items.length}%`;
      $("[data-queue-text]").textContent = parts.join(" · ");
      setChildren(
        $("[data-stop-queue]"),
        busy ? [icon("pause-fill"), " ", t("Stop")] : [icon("play-fill"), " ", t("Resume")],
      );
    }
  }
}

const sameChildren = (element, children) =>
  element.childElementCount === children.length && children.every((child, index) => element.children[index] === child);
