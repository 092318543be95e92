/* Saves a chart as an image or as a table. */
import { h } from "../lib/dom.js";
import { css } from "./theme_colours.js";

export function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** The canvas on the page's background, with title and legend above it: [{label, colour, dashed}]. */
export function savePicture(canvas, name, title, series) {
  const scale = window.devicePixelRatio || 1;
  const head = 44 * scale;
  const copy = h("canvas", { width: canvas.width, height: canvas.height + head });
  const context = copy.getContext("2d");
  context.fillStyle = css("--surface");
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, head);
  context.scale(scale, scale);
  context.fillStyle = css("--text");
  context.font = `600 13px ${css("--font")}`;
  context.fillText(title, 10, 18);
  context.font = `11px ${css("--font")}`;
  let x = 10;
  for (const { label, colour } of series) {
    context.fillStyle = colour;
    context.fillRect(x, 31, 12, 2);
    context.fillStyle = css("--quiet");
    context.fillText(label, x + 17, 36);
    x += context.measureText(label).width + 32;
  }
  copy.toBlob((blob) => save(blob, `${name}.png`));
}

/** Rows of values, with a head; texts are quoted, and no spreadsheet reads a cell as a formula. */
export function saveTable(name, head, rows) {
  const cell = (value) =>
    typeof value === "number"
      ? value
      : value === "" || value === null || value === undefined
        ? ""
        : quoted(String(value));
  const lines = [head, ...rows].map((row) => row.map(cell).join(","));
  save(new Blob([lines.join("\n"), "\n"], { type: "text/csv" }), `${name}.csv`);
}

const quoted = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
