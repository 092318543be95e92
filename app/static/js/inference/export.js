/* The detections as files: JSON for programs, CSV for tables, PNG of the drawing. */
import { h } from "../lib/dom.js";
import { settings } from "./settings.js";

export function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The answers for images or frames as plain rows: {file, time, model, answer}. What the filters hide is left out. */
export function records(rows) {
  return rows.map(({ file, time, side, model, answer }) => ({
    file,
    ...(time !== undefined && { time }),
    ...(side && { side }),
    model,
    confidence: settings.confidence,
    iou: answer.iou ?? settings.iou,
    width: answer.size?.width,
    height: answer.size?.height,
    inference_time: answer.time,
    detections: settings.visible(answer.detections),
  }));
}

export function saveJson(rows, name) {
  save(new Blob([JSON.stringify(records(rows), null, 1), "\n"], { type: "application/json" }), `${name}.json`);
}

const HEAD = ["file", "time", "side", "model", "class", "confidence", "x1", "y1", "x2", "y2", "area", "inference_time"];

/** One line per detection, and one without a class for an image without detections. */
export function saveCsv(rows, name) {
  const lines = records(rows).flatMap((record) =>
    record.detections.length ? record.detections.flatMap((item) => cells(record, item)) : [cells(record, null)[0]],
  );
  save(
    new Blob([[HEAD, ...lines].map((line) => line.map(cell).join(",")).join("\n"), "\n"], { type: "text/csv" }),
    `${name}.csv`,
  );
}

function cells({ file, time, side, model, inference_time: took }, item) {
  const start = [file, time?.toFixed(3), side, model];
  if (!item) return [[...start, "", "", "", "", "", "", "", took]];
  if (item.top5)
    return item.top5.map((choice) => [...start, choice.class, choice.confidence, "", "", "", "", "", took]);
  return [[...start, item.class, item.confidence, ...item.bbox, item.area, took]];
}

/** Quoted if necessary; a text that a spreadsheet would read as a formula is prefixed with an apostrophe. */
function cell(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) && !Number.isFinite(Number(value)) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
