/* The list of detections: a table, the differences of two models, or the classes of a whole image as bars. */
import { h, setChildren } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { colour } from "./class_colours.js";

const MOST_ROWS = 200;
const swatch = (name) => h("span", { class: "swatch", style: { "--box": colour(name) } });
const position = ({ bbox: [x1, y1, x2, y2] }) =>
  `${number(x1)}, ${number(y1)} · ${number(x2 - x1)} × ${number(y2 - y1)}`;

/** A row that marks its shape while it is hovered or focused. */
function row(marked, ...cells) {
  const mark = (is) => () => marked(is);
  return h(
    "tr",
    { tabindex: 0, onmouseenter: mark(true), onmouseleave: mark(false), onfocus: mark(true), onblur: mark(false) },
    cells,
  );
}

function table(head, rows, total) {
  return [
    h(
      "div",
      { class: "table-wrap", tabindex: -1 },
      h(
        "table",
        { class: "list is-tight" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head.map(([text, className]) => h("th", { scope: "col", class: className }, text)),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
    total > MOST_ROWS &&
      h(
        "p",
        { class: "panel-note test-note" },
        t("Showing the first {shown} of {total}. Downloads include all.", {
          shown: number(MOST_ROWS),
          total: number(total),
        }),
      ),
  ];
}

const nothing = () =>
  h("p", { class: "panel-empty" }, t("No detections above this threshold. Lower it to see less certain ones."));

export function showDetections(element, visible, mark) {
  if (!visible.length) return setChildren(element, nothing());
  if (visible[0].top5) return setChildren(element, bars(visible[0].top5));
  const rows = visible
    .slice(0, MOST_ROWS)
    .map((item) =>
      row(
        (is) => mark(is ? item : null),
        h("td", { class: "test-name" }, swatch(item.class), item.class),
        h("td", { class: "number strong" }, percent(item.confidence, 1)),
        h("td", { class: "number under" }, position(item)),
      ),
    );
  return setChildren(
    element,
    table([[t("Class")], [t("Confidence"), "number"], [t("Box (px)"), "number"]], rows, visible.length),
  );
}

/** The five most likely classes of a whole image. */
function bars(best) {
  return h(
    "ol",
    { class: "test-bars" },
    best.map(({ class: name, confidence }) =>
      h(
        "li",
        { class: "test-bar" },
        h("span", { class: "test-bar-name", title: name }, name),
        h("strong", { class: "tabular" }, percent(confidence, 1)),
        h(
          "span",
          { class: "bar" },
          h("span", {
            class: "bar-fill is-plain",
            style: { display: "block", width: `${100 * confidence}%`, background: colour(name) },
          }),
        ),
      ),
    ),
  );
}

/** Rows of matching.js; `mark(a, b)` marks the pair. */
export function showDifferences(element, rows, mark) {
  if (!rows.length) return setChildren(element, nothing());
  const count = (test) => number(rows.filter(test).length);
  const summary = h(
    "p",
    { class: "test-summary" },
    h("span", {}, t("Both: {n}", { n: count(({ a, b }) => a && b) })),
    h("span", {}, t("Only A: {n}", { n: count(({ b }) => !b) })),
    h("span", {}, t("Only B: {n}", { n: count(({ a }) => !a) })),
  );
  const by = ({ a, b }) => (a && b ? t("both") : a ? t("only A") : t("only B"));
  const body = rows
    .slice(0, MOST_ROWS)
    .map((pair) =>
      row(
        (is) => (is ? mark(pair.a, pair.b) : mark(null, null)),
        h("td", { class: "test-name" }, swatch((pair.a || pair.b).class), (pair.a || pair.b).class),
        h("td", { class: pair.a && pair.b ? "under" : "strong" }, by(pair)),
        h("td", { class: "number" }, percent(pair.a?.confidence, 1)),
        h("td", { class: "number" }, percent(pair.b?.confidence, 1)),
      ),
    );
  return setChildren(
    element,
    summary,
    table([[t("Class")], [t("Detected by")], ["A", "number"], ["B", "number"]], body, rows.length),
  );
}

/** The top-1 classes of two models for a whole image. */
export function showTwoChoices(element, first, second) {
  const same = first.class === second.class;
  setChildren(
    element,
    h("p", { class: "test-summary" }, same ? t("Both models agree.") : t("The models disagree.")),
    h("h3", { class: "test-side" }, "A"),
    bars(first.top5),
    h("h3", { class: "test-side" }, "B"),
    bars(second.top5),
  );
}
