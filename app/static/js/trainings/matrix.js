/* A confusion matrix as a table: each cell is focusable, and opens the images behind it. */
import { h } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

export const DENSE = 12; // classes, from which on the columns are headed by numbers
const LARGE = 60; // classes, from which on only those with most errors are shown

/** `open([predicted, true])` if a cell has images. Rows: predicted class; columns: true class. */
export function matrixTable({ names, matrix, cells, task }, open) {
  const nothing = task === "classify" ? [] : [names.length];
  const count = new Map(matrix.map(([row, column, n]) => [`${row},${column}`, n]));
  const classes = visibleClasses(names, matrix);
  const sums = new Map();
  for (const [, column, n] of matrix) sums.set(column, (sums.get(column) || 0) + n);
  const label = (index) => names[index] ?? t("background");
  const lists = [...classes, ...nothing];
  const cell = (row, column) => {
    const n = count.get(`${row},${column}`) || 0;
    const share = n / (sums.get(column) || 1);
    const right = row === column;
    const spoken = t("{n} × actual: {truth}, predicted: {predicted}", {
      n: number(n),
      truth: label(column),
      predicted: label(row),
    });
    const style = {
      class: `matrix-cell ${right ? "is-right" : "is-wrong"} ${n ? "" : "is-none"}`,
      style: { "--share": share.toFixed(3) },
    };
    if (!n || (right && row === names.length)) return h("td", style);
    const inside = cells[`${row},${column}`]?.length
      ? h(
          "button",
          {
            type: "button",
            title: `${spoken} (${percent(share)})`,
            "aria-label": spoken,
            onclick: () => open([row, column]),
          },
          number(n),
        )
      : h("span", { title: `${spoken} (${percent(share)})` }, number(n));
    return h("td", style, inside);
  };
  const dense = classes.length > DENSE;
  const numbered = (index, scope) =>
    !dense || index === names.length ? label(index) : scope === "col" ? String(index) : `${index} ${label(index)}`;
  const head = (index, scope) =>
    h("th", { scope, title: label(index), "aria-label": label(index) }, h("span", {}, numbered(index, scope)));
  return [
    h(
      "div",
      { class: "table-wrap matrix-wrap", tabindex: 0, role: "group", "aria-label": t("Confusion matrix") },
      h(
        "table",
        { class: `matrix ${dense ? "is-dense" : ""}` },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { class: "matrix-corner" }, t("Predicted ↓ · Actual →")),
            lists.map((index) => head(index, "col")),
          ),
        ),
        h(
          "tbody",
          {},
          lists.map((row) =>
            h(
              "tr",
              {},
              head(row, "row"),
              lists.map((column) => cell(row, column)),
            ),
          ),
        ),
      ),
    ),
    classes.length < names.length &&
      h(
        "p",
        { class: "under" },
        tn(
          "Showing the {n} class with the most errors of {total}.",
          "Showing the {n} classes with the most errors of {total}.",
          classes.length,
          { total: number(names.length) },
        ),
      ),
  ];
}

function visibleClasses(names, matrix) {
  const all = names.map((_, index) => index);
  if (all.length <= LARGE) return all;
  const errors = new Array(names.length + 1).fill(0);
  for (const [row, column, n] of matrix)
    if (row !== column) {
      errors[row] += n;
      errors[column] += n;
    }
  return all
    .sort((a, b) => errors[b] - errors[a])
    .slice(0, LARGE)
    .sort((a, b) => a - b);
}
