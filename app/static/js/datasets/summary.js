/* What training will use: how many of the images, in which splits, and why not the others. With figures. */
import { splitBar } from "./common.js";
import { $, h, icon, setChildren } from "../lib/dom.js";
import { bytes, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { formatName, taskName } from "../lib/vocabulary.js";

export function showSummary(panel, dataset, busy) {
  setChildren(
    $("[data-summary]", panel),
    dataset.summary
      ? uses(dataset)
      : h(
          "p",
          { class: "quiet" },
          busy ? t("The dataset check isn't finished.") : t("No image can be used. See the issues."),
        ),
  );
  setChildren($("[data-figures]", panel), figures(dataset));
}

function uses(dataset) {
  const { used, total, left_out: left = [] } = dataset.summary;
  const all = used === total;
  return h(
    "div",
    { class: "uses" },
    h(
      "p",
      { class: "uses-figure" },
      icon(all ? "check-circle-fill" : "exclamation-triangle-fill"),
      " ",
      h(
        "span",
        {},
        h("strong", {}, tn("{used} of {n} image", "{used} of {n} images", total, { used: number(used) })),
        !all && total > 0 && h("span", { class: "quiet" }, ` · ${percent(used / total, 1)}`),
      ),
    ),
    h("div", { class: "uses-split" }, splitBar(dataset)),
    left.length > 0 &&
      h(
        "div",
        { class: "left-out" },
        h(
          "h3",
          {},
          tn(
            "{n} image is left out",
            "{n} images are left out",
            left.reduce((sum, item) => sum + item.count, 0),
          ),
        ),
        h(
          "ul",
          {},
          left.map((item) =>
            h(
              "li",
              {},
              h("span", { class: "left-out-count tabular" }, number(item.count)),
              h("span", { class: "left-out-text" }, item.message),
              h(
                "a",
                { class: "nowrap", href: `?tab=images&finding=${encodeURIComponent(item.code)}`, "data-go": "" },
                t("Show"),
              ),
            ),
          ),
        ),
        h(
          "p",
          {},
          h(
            "a",
            { href: "?tab=findings", "data-go": "" },
            dataset.report?.fixable ? t("View fixable issues") : t("View issues"),
          ),
        ),
      ),
  );
}

function figures(dataset) {
  const figure = (label, value, note) =>
    h(
      "div",
      { class: "figure" },
      h("div", { class: "figure-label" }, label),
      h("div", { class: "figure-value" }, value),
      note && h("div", { class: "figure-note" }, note),
    );
  const counted = dataset.report?.boxes;
  const objects = counted ? Object.values(counted).reduce((sum, count) => sum + Number(count), 0) : null;
  return [
    figure(
      t("Images"),
      number(dataset.total_images),
      objects && dataset.total_images && dataset.task !== "classify"
        ? t("objects per image: {n}", { n: number(objects / dataset.total_images, 1) })
        : "",
    ),
    figure(t("Objects"), objects === null ? "–" : number(objects)),
    figure(t("Classes"), number(dataset.classes.length)),
    figure(
      t("Task"),
      taskName(dataset.task),
      dataset.format ? t("imported from {format}", { format: formatName(dataset.format) }) : "",
    ),
    figure(t("Size"), dataset.size_bytes ? bytes(dataset.size_bytes) : "–"),
  ];
}
