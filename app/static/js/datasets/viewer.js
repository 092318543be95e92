/* One large image: its objects drawn, its findings listed, arrow keys step to its neighbours. */
import { $$, failure, h, icon, setChildren } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { drawing, names } from "./marks.js";
import { ImageRecords } from "./image_records.js";
import { aside } from "./viewer_aside.js";
import { Stage } from "./stage.js";
import { Twin } from "./twin.js";

const STAYED_MS = 120; // after this long on an image, stepping has stopped

/** `current`: the dataset; `moved(id)` is called once the reader stays at another image, `closed(id)` when they close
 *  it. */
export class Viewer {
  constructor(current, { moved, closed }) {
    this.current = current;
    this.moved = moved;
    this.closed = closed;
    this.records = new ImageRecords(current);
    this.id = null;
    this.pendingSteps = 0;
    this.stepping = false;
    this.staying = false;
    this.marks = true;
    this.labels = true;
    this.build();
  }

  get isOpen() {
    return this.dialog.open;
  }

  /** Whether the reader is stepping to another image than the address has. */
  get isAhead() {
    return this.isOpen && (this.stepping || this.staying);
  }

  build() {
    const tool = (symbol, label, act, name) =>
      h(
        "button",
        { class: "icon-button", type: "button", title: label, "aria-label": label, onclick: act, "data-tool": name },
        icon(symbol),
      );
    this.title = h("h2", { id: "viewer-title", class: "viewer-name" });
    this.position = h("span", { class: "viewer-place tabular", role: "status" });
    this.zoomed = h("output", { class: "viewer-zoom tabular" });
    this.image = h("img", { alt: "", draggable: "false" });
    this.sheet = h("div", { class: "viewer-sheet" });
    this.frame = h("div", { class: "viewer-frame", tabindex: "-1" }, this.sheet);
    this.wait = h("div", { class: "viewer-wait" });
    this.twin = new Twin();
    this.side = h("div", { class: "viewer-side", tabindex: "0", role: "region", "aria-label": t("About this image") });
    this.toggles = {
      marks: tool("bounding-box", t("Show or hide labels (M)"), () => this.switch("marks"), "marks"),
      labels: tool("tags", t("Show or hide class names (L)"), () => this.switch("labels"), "labels"),
    };
    for (const toggle of Object.values(this.toggles)) toggle.setAttribute("aria-pressed", "true");
    this.before = tool("chevron-left", t("Previous image (left arrow)"), () => this.step(-1), "previous");
    this.after = tool("chevron-right", t("Next image (right arrow)"), () => this.step(1), "next");
    this.dialog = h(
      "dialog",
      {
        class: "viewer",
        "aria-labelledby": "viewer-title",
        onclose: () => this.ended(),
        onkeydown: (event) => this.key(event),
      },
      h(
        "header",
        { class: "viewer-head" },
        h("div", { class: "viewer-title" }, this.title, this.position),
        h(
          "div",
          { class: "viewer-tools" },
          this.before,
          this.after,
          tool("zoom-out", t("Zoom out (-)"), () => this.stage.out(), "out"),
          this.zoomed,
          tool("zoom-in", t("Zoom in (+)"), () => this.stage.in(), "in"),
          tool("arrows-angle-contract", t("Fit (0)"), () => this.stage.fit(), "fit"),
          this.toggles.marks,
          this.toggles.labels,
          tool("x-lg", t("Close (Esc)"), () => this.dialog.close(), "close"),
        ),
      ),
      h(
        "div",
        { class: "viewer-body" },
        (this.stageElement = h(
          "div",
          { class: "viewer-stage" },
          this.twin.own,
          this.frame,
          this.wait,
          this.twin.figure,
        )),
        this.side,
      ),
    );
    this.stage = new Stage(this.frame, this.sheet, (zoom) => {
      this.zoomed.textContent = percent(zoom);
    });
    new ResizeObserver(() => {
      if (this.record) this.size();
    }).observe(this.frame);
    document.body.append(this.dialog);
  }

  /** Show an image. `source` has neighbour(id, by), place(id) → {at, total} or null, record(id) or null. `stepping`:
   *  perhaps one of many; the address and the server's data follow once the reader stays. */
  async show(id, source, stepping = false) {
    this.id = id;
    this.source = source;
    if (!this.dialog.open) {
      this.dialog.showModal();
      this.frame.focus();
    }
    const early = this.records.cached(id) || source.record(id);
    if (early) this.draw(early);
    else setChildren(this.wait, h("span", { class: "skeleton" }));
    clearTimeout(this.stays);
    this.staying = stepping;
    if (stepping)
      this.stays = setTimeout(() => {
        this.staying = false;
        this.moved(id);
      }, STAYED_MS); // browsers limit the changes of the address per second
    else await this.fill(id);
  }

  /** The server's record of the image, and its neighbours. */
  async fill(id) {
    try {
      const record = await this.records.ask(id);
      if (this.id === id) this.draw(record);
      this.ahead();
    } catch (error) {
      if (this.id === id) this.failed(error);
    }
  }

  failed(error) {
    this.record = null;
    setChildren(this.sheet);
    setChildren(this.side);
    this.title.textContent = t("Image {id}", { id: this.id });
    setChildren(
      this.wait,
      failure(error, () => this.show(this.id, this.source)),
    );
  }

  draw(record) {
    const same = this.record?.id === record.id;
    this.record = record;
    this.title.textContent = record.file;
    this.title.title = record.file;
    const position = this.source.positionOf(record.id);
    this.position.textContent = position
      ? t("{at} of {total}", { at: number(position.at), total: number(position.total) })
      : "";
    setChildren(
      this.side,
      aside(record, this.current.classes, (index, is) => this.mark(index, is)),
    );
    this.stageElement.classList.toggle("has-twin", this.twin.show(record));
    if (same) return; // only the findings are new
    setChildren(this.wait);
    if (!record.url) {
      setChildren(this.sheet);
      setChildren(
        this.wait,
        h(
          "p",
          { class: "viewer-broken" },
          icon("file-earmark-x"),
          " ",
          t("This file isn't an image that can be displayed."),
        ),
      );
      return;
    }
    this.image = h("img", {
      src: record.url,
      alt: record.file,
      draggable: "false",
      width: record.width || null,
      height: record.height || null,
      onerror: () =>
        setChildren(
          this.wait,
          h("p", { class: "viewer-broken" }, icon("file-earmark-x"), " ", t("The browser can't display this file.")),
        ),
    });
    setChildren(this.sheet, this.image, drawing(record), names(record, this.current.classes));
    this.size();
    this.stage.fit();
  }

  /** The sheet is as large as the image fits into the frame; small images are enlarged. */
  size() {
    const { width, height } = this.record;
    if (!width || !height) return;
    const scale = Math.min(this.frame.clientWidth / width, this.frame.clientHeight / height);
    Object.assign(this.sheet.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    this.sheet.classList.toggle("is-pixelated", scale > 3);
    this.stage.draw();
  }

  mark(index, is) {
    for (const element of $$(`[data-object="${index}"]`, this.sheet)) element.classList.toggle("is-marked", is);
    this.sheet.classList.toggle("has-marked", is);
  }

  switch(what) {
    this[what] = !this[what];
    this.toggles[what].setAttribute("aria-pressed", this[what]);
    this.sheet.classList.toggle(`no-${what}`, !this[what]);
  }

  /** Every key counts, also those pressed while a page of images is loaded. */
  async step(by) {
    this.pendingSteps += by;
    if (this.stepping) return;
    this.stepping = true;
    try {
      let { id } = this;
      while (this.pendingSteps && this.isOpen) {
        const one = Math.sign(this.pendingSteps);
        const next = await this.source.neighbour(id, one);
        this.pendingSteps -= one;
        if (next === null) this.pendingSteps = 0;
        else id = next;
      }
      if (this.isOpen && id !== this.id) this.show(id, this.source, true);
    } catch (error) {
      this.failed(error);
    } finally {
      this.stepping = false;
      this.pendingSteps = 0;
    }
  }

  /** Load the neighbours, so that the next step is shown immediately. */
  async ahead() {
    for (const by of [1, -1])
      await this.records.prepare(await this.source.neighbour(this.id, by, false).catch(() => null));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const pan = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    const inSide = event.target.closest(".viewer-side") && ["ArrowUp", "ArrowDown"].includes(event.key);
    const acts = {
      "+": () => this.stage.in(),
      "=": () => this.stage.in(),
      "-": () => this.stage.out(),
      0: () => this.stage.fit(),
      l: () => this.switch("labels"),
      L: () => this.switch("labels"),
      m: () => this.switch("marks"),
      M: () => this.switch("marks"),
    };
    const act =
      pan && !inSide
        ? () => {
            if (!event.shiftKey && event.key === "ArrowLeft") this.step(-1);
            else if (!event.shiftKey && event.key === "ArrowRight") this.step(1);
            else this.stage.pan(...pan);
          }
        : acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  /** Close it without calling `closed`: the address has changed already. */
  hide() {
    clearTimeout(this.stays);
    this.staying = false;
    this.id = null;
    if (this.dialog.open) this.dialog.close();
  }

  /** The dialog was closed: by the reader, unless the image was removed before. */
  ended() {
    const { id } = this;
    clearTimeout(this.stays);
    this.staying = false;
    this.id = null;
    this.record = null;
    setChildren(this.sheet);
    if (id !== null) this.closed(id);
  }
}
