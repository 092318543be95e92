/* Thumbnails with their objects drawn over them. One tile is in the Tab order; arrow keys move among them. */
import { $, $$, h, icon, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { paint } from "./marks.js";
import { className } from "./objects.js";

const AHEAD = "400px"; // tiles this close to the viewport are drawn

export class Grid {
  /** `container` holds the tiles; `names()` are the classes; `open(id)` is called for the tile that the reader
   *  chooses. */
  constructor(container, names, open) {
    this.container = container;
    this.names = names;
    this.open = open;
    this.display = { boxes: true, labels: true };
    this.drawn = new Set();
    this.images = new Map();
    this.near = new IntersectionObserver((entries) => this.onIntersection(entries), { rootMargin: AHEAD });
    this.sized = new ResizeObserver(() => {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => this.redraw());
    });
  }

  show(images) {
    this.near.disconnect();
    this.drawn.clear();
    this.images = new Map(images.map((image) => [image.id, image]));
    this.list = h(
      "div",
      {
        class: "grid",
        role: "list",
        "aria-label": t("Images"),
        onkeydown: (event) => this.key(event),
        onfocusin: (event) => this.rove(event.target.closest(".tile")),
      },
      images.map((image, index) => this.tile(image, index)),
    );
    setChildren(this.container, this.list);
    this.sized.disconnect();
    this.sized.observe(this.list);
    for (const tile of $$(".tile", this.list)) this.near.observe(tile);
  }

  tile(image, index) {
    const name = image.file.split("/").pop();
    const ratio = image.width && image.height ? image.width / image.height : 1;
    const broken = () => h("span", { class: "tile-broken" }, icon("file-earmark-x"));
    const picture = !image.thumbnail
      ? broken()
      : h("img", {
          src: image.thumbnail,
          alt: "",
          loading: index < 12 ? "eager" : "lazy",
          decoding: "async",
          onerror: () => picture.replaceWith(broken()),
        });
    return h(
      "div",
      { role: "listitem" },
      h(
        "button",
        {
          class: "tile",
          type: "button",
          tabindex: index ? -1 : 0,
          "data-image": image.id,
          title: image.file,
          onclick: () => this.open(image.id),
        },
        h(
          "span",
          { class: "tile-frame" },
          h(
            "span",
            { class: "tile-picture", style: { "--ratio": ratio } },
            picture,
            h("canvas", { "aria-hidden": "true" }),
          ),
        ),
        h("span", { class: "visually-hidden" }, this.spoken(image, name)),
        h(
          "span",
          { class: "tile-foot", "aria-hidden": "true" },
          h("span", { class: "tile-name" }, h("bdi", {}, name)),
          this.marks(image),
        ),
      ),
    );
  }

  /** The text of a tile's foot: its findings, and its class or the number of its objects. */
  marks(image) {
    const imageClass = image.objects.find((object) => object.kind === "class");
    return h(
      "span",
      { class: "tile-marks tabular" },
      image.findings.length > 0 &&
        h(
          "span",
          { class: "tile-finding", title: tn("{n} issue", "{n} issues", image.findings.length) },
          icon("exclamation-triangle-fill"),
        ),
      imageClass
        ? className(this.names(), imageClass.class)
        : [icon("bounding-box"), " ", number(image.objects.length)],
    );
  }

  spoken(image, name) {
    const counts = [
      tn("{n} object", "{n} objects", image.objects.length),
      image.findings.length && tn("{n} issue", "{n} issues", image.findings.length),
    ].filter(Boolean);
    return [name, image.split, ...counts].join(", ");
  }

  onIntersection(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        this.drawn.add(target);
        this.draw(target);
      } else this.drawn.delete(target);
    }
  }

  draw(tile) {
    const image = this.images.get(Number(tile.dataset.image));
    const canvas = $("canvas", tile);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !image) return;
    paint(canvas, this.display.boxes && image.thumbnail ? image.objects : [], {
      width,
      height,
      labels: this.display.labels,
    });
  }

  redraw() {
    this.drawn.forEach((tile) => this.draw(tile));
  }

  switch(changes) {
    Object.assign(this.display, changes);
    this.redraw();
  }

  rove(tile) {
    if (!tile) return;
    for (const other of $$(".tile[tabindex='0']", this.list)) other.tabIndex = -1;
    tile.tabIndex = 0;
  }

  focus(id) {
    const tile = this.list && $(`[data-image="${id}"]`, this.list);
    tile?.focus();
    tile?.scrollIntoView({ block: "nearest" });
    return Boolean(tile);
  }

  key(event) {
    const tiles = $$(".tile", this.list);
    const at = tiles.indexOf(event.target.closest(".tile"));
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = tiles.filter(
      (tile) => Math.abs(tile.getBoundingClientRect().top - tiles[0].getBoundingClientRect().top) < 4,
    ).length;
    const to = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at + row,
      ArrowUp: at - row,
      Home: 0,
      End: tiles.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    tiles[Math.min(tiles.length - 1, Math.max(0, to))].focus();
  }
}
