/* The head of the tab of the findings: their numbers by severity, the report as a file, and the fix of all. */
import { button, h, icon, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

/** Fill the container: the number of findings, the report, and one button that fixes all. `fix(codes, groups)`: of
 *  FindingsTab. */
export function showSummary(container, current, { counts, codes }, fix) {
  const total = counts.error + counts.warning + counts.info;
  const fixable = codes.filter((item) => item.fixable);
  const part = (severity, word, text) =>
    h(
      "div",
      { class: "finding-figure" },
      h(
        "p",
        { class: `finding-number status-${severity}` },
        h("strong", { class: "tabular" }, number(counts[severity])),
        " ",
        word,
      ),
      h("p", { class: "quiet" }, text),
    );
  const report = (kind, symbol) =>
    h(
      "a",
      {
        class: "btn btn-outline btn-sm",
        href: `${current.path}/report.${kind}?revision=${current.data.revision}`,
        download: true,
      },
      icon(symbol),
      " ",
      kind.toUpperCase(),
    );
  setChildren(
    container,
    h(
      "div",
      { class: "finding-figures" },
      part("error", tn("error", "errors", counts.error), t("excluded from training")),
      part("warning", tn("warning", "warnings", counts.warning), t("may hurt the results")),
      part("info", tn("info", "info", counts.info), t("no effect on training")),
    ),
    h(
      "div",
      { class: "finding-actions" },
      total > 0 &&
        h(
          "span",
          { class: "finding-report" },
          t("Report"),
          " ",
          report("json", "filetype-json"),
          " ",
          report("csv", "filetype-csv"),
        ),
      fixable.length > 0 &&
        button(
          "magic",
          tn("Fix {n} issue", "Fix {n} issues", counts.fixable),
          () => fix("all", fixable),
          "btn-primary btn-sm",
        ),
    ),
  );
}
