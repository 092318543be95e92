/* Two charts that Chart.js does not have: the positions of objects in their images, and the co-occurrence of
   classes. */
import { h } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { classColour } from "../ui/palette.js";
import { savePicture, saveTable } from "../charts/save.js";
import { css } from "../charts/theme_colours.js";
import { chartTools } from "./bars.js";
import { className } from "./objects.js";

const MOST = 20; // classes in the table of co-occurrence
const NARROW = 12; // from this number on, the numbers below the columns are vertical

/** Cells of one colour, darker for higher values; `pointed(x, y)` returns a cell's text. */
class Cells {
  constructor({ title, note, name, columns, rows, value, label, spoken, csv, axis = null }) {
    this.columns = columns;
    this.rows = rows;
    this.value = value;
    this.label = label;
    this.canvas = h("canvas", {
      role: "img",
      "aria-label": spoken,
      onpointermove: (event) => this.point(event),
      onpointerleave: () => {
        this.caption.textContent = "\u00a0";
      },
    });
    this.caption = h("p", { class: "statistic-said tabular", "aria-hidden": "true" }, "\u00a0");
    this.element = h(
      "article",
      { class: "panel chart statistic" },
      h(
        "header",
        { class: "chart-head" },
        h("h2", {}, title),
        h(
          "div",
          { class: "chart-tools" },
          chartTools(
            title,
            () => savePicture(this.canvas, name, title, []),
            () => saveTable(name, ...csv()),
          ),
        ),
      ),
      h("p", { class: "statistic-note" }, note),
      h(
        "div",
        { class: `cells-frame ${axis ? "has-axis" : ""} ${columns > NARROW ? "is-narrow" : ""}` },
        axis && h("div", { class: "cells-rows" }, axis()),
        h("div", { class: "cells", style: { "aspect-ratio": `${columns} / ${rows}` } }, this.canvas),
        axis && h("div", { class: "cells-columns" }, axis()),
      ),
      this.caption,
    );
  }

  start() {
    this.themed = () => this.draw();
    document.addEventListener("theme", this.themed);
    this.sized = new ResizeObserver(() => this.draw());
    this.sized.observe(this.canvas.parentElement);
    return this;
  }

  end() {
    document.removeEventListener("theme", this.themed);
    this.sized?.disconnect();
    this.element.remove();
  }

  draw() {
    const { canvas, columns, rows } = this;
    const [width, height, scale] = [canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio || 1];
    if (!width) return;
    Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = canvas.getContext("2d");
    const most = Math.max(
      1,
      ...Array.from(
        { length: columns * rows },
        (_none, index) => this.value(index % columns, Math.floor(index / columns)) || 0,
      ),
    );
    context.fillStyle = css("--series-1");
    const edge = (index, count, side) => Math.round((index / count) * side);
    const gap = columns > 24 ? 0 : 1;
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < columns; x += 1) {
        const value = this.value(x, y) || 0;
        // the square root, so that small values are visible beside large ones
        context.globalAlpha = value ? 0.08 + 0.92 * Math.sqrt(value / most) : 0.03;
        const [left, top] = [edge(x, columns, canvas.width), edge(y, rows, canvas.height)];
        context.fillRect(
          left,
          top,
          edge(x + 1, columns, canvas.width) - left - gap,
          edge(y + 1, rows, canvas.height) - top - gap,
        );
      }
    }
  }

  point(event) {
    const frame = this.canvas.getBoundingClientRect();
    const x = Math.min(
      this.columns - 1,
      Math.max(0, Math.floor(((event.clientX - frame.left) / frame.width) * this.columns)),
    );
    const y = Math.min(
      this.rows - 1,
      Math.max(0, Math.floor(((event.clientY - frame.top) / frame.height) * this.rows)),
    );
    this.caption.textContent = this.label(x, y);
  }
}

/** The positions of the objects' centres: `{size, cells}`, row by row from the top left. */
export function heatMap({ size, cells }, name) {
  const total = cells.reduce((sum, value) => sum + value, 0);
  const middle = cells.reduce(
    (sum, value, index) =>
      sum +
      (Math.abs((index % size) - (size - 1) / 2) <= size / 4 &&
      Math.abs(Math.floor(index / size) - (size - 1) / 2) <= size / 4
        ? value
        : 0),
    0,
  );
  const share = percent(total ? middle / total : 0);
  const title = t("Object positions");
  return new Cells({
    title,
    name: `${name}-centres`,
    columns: size,
    rows: size,
    value: (x, y) => cells[y * size + x],
    note: t("Centers of all objects, with all images overlaid. {share} are in the middle quarter.", { share }),
    label: (x, y) => tn("{n} object", "{n} objects", cells[y * size + x]),
    spoken: [title, t("{share} are in the middle quarter.", { share })].join(". "),
    csv: () => [
      Array.from({ length: size }, (_none, x) => x),
      Array.from({ length: size }, (_none, y) => cells.slice(y * size, (y + 1) * size)),
    ],
  });
}

/** The number of images in which two classes co-occur, as a matrix of the most frequent classes; the diagonal is the
 *  class itself. */
export function coOccurrence({ classes, cells }, names, name) {
  const order = classes
    .map((_index, index) => index)
    .sort((a, b) => cells[b][b] - cells[a][a] || a - b)
    .slice(0, MOST);
  const called = (index) => className(names, classes[index]);
  const sentence = (count, a, b) =>
    a === b
      ? tn("{a}: {n} image", "{a}: {n} images", count, { a: called(a) })
      : tn("{a} with {b}: {n} image", "{a} with {b}: {n} images", count, { a: called(a), b: called(b) });
  const pairs = order
    .flatMap((a, at) => order.slice(at + 1).map((b) => [cells[a][b], a, b]))
    .sort((a, b) => b[0] - a[0]);
  const title = t("Classes in the same image");
  const note = pairs[0]?.[0]
    ? t("Most frequent pair: {pair}.", { pair: sentence(...pairs[0]) })
    : t("No two classes appear in the same image.");
  const tag = (index) =>
    h(
      "span",
      { class: "class-number", title: called(index), style: { "--mark": classColour(classes[index]) } },
      String(classes[index]),
    );
  return new Cells({
    title,
    note,
    name: `${name}-together`,
    columns: order.length,
    rows: order.length,
    axis: () => order.map(tag),
    value: (x, y) => cells[order[y]][order[x]],
    label: (x, y) => sentence(cells[order[y]][order[x]], order[y], order[x]),
    spoken: `${title}. ${note}`,
    csv: () => [
      ["", ...order.map(called)],
      order.map((row) => [called(row), ...order.map((column) => cells[row][column])]),
    ],
  });
}
