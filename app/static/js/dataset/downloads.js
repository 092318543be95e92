/* What can be taken away: the original, and the present revision in the usual formats. */
import { h, icon, put } from "../dom.js";
import { bytes } from "../format.js";
import { t } from "../i18n.js";

const FORMATS = [["yolo", "YOLO", () => t("images, labels, data.yaml")], ["coco", "COCO", () => t("images and JSON")], ["voc", "Pascal VOC", () => t("images and XML")]];

export function showDownloads(place, current) {
  const { data, path } = current;
  const item = (href, title, text) => h("li", {}, h("a", { class: "dropdown-item download-item", href, download: true }, h("strong", {}, title), h("span", { class: "quiet" }, text)));
  const boxes = data.task !== "classify";
  put(place,
    data.original && item(`${path}/original`, t("Original"), [data.original.name, data.original.bytes && bytes(data.original.bytes)].filter(Boolean).join(" · ")),
    current.ready && FORMATS.filter(([format]) => boxes || format === "yolo").map(([format, title, text]) => item(`${path}/export?format=${format}&revision=${data.revision}`, t("Cleaned, as {format}", { format: title }), text())),
    !data.original && !current.ready && h("li", {}, h("span", { class: "dropdown-item-text quiet" }, icon("hourglass"), " ", t("Nothing yet: the check is not finished."))));
}
