/* One code of the findings: its head, and a page of its findings, with file and line, what YOLO does, and the fix. */
import { mayChangeHere } from "../lib/access.js";
import { button, h, icon } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { showPager } from "../ui/pager.js";
import { badge } from "../ui/status.js";
import { change } from "./address.js";
import { byObject } from "./viewer_aside.js";

/** The group of a code: closed, or with a page of its findings. `fix(codes, groups)`: of FindingsTab. */
export function findingGroup(item, open, fix) {
  const toggle = () => change({ code: open ? "" : item.code, page: "" }, { replace: true });
  const id = `findings-${item.code}`;
  return h(
    "section",
    { class: `panel finding-group ${open ? "is-open" : ""}`, "data-code": item.code },
    h(
      "header",
      { class: "finding-group-head" },
      h(
        "button",
        {
          class: "finding-open",
          type: "button",
          "aria-expanded": Boolean(open).toString(),
          "aria-controls": id,
          onclick: toggle,
        },
        icon("chevron-right"),
        badge(item.severity),
        h(
          "span",
          { class: "finding-title" },
          item.title || item.code,
          " ",
          h("span", { class: "count" }, number(item.count)),
        ),
      ),
      item.fixable > 0 && mayChangeHere({}) && fixButton(item, fix),
    ),
    open && h("div", { id, class: "finding-body" }, body(open)),
  );
}

function fixButton(item, fix) {
  return button("wrench-adjustable", t("Fix"), () => fix([item.code], [item]), "btn-outline btn-sm");
}

function body(answer) {
  const [first] = answer.findings;
  if (!first) return h("p", { class: "panel-empty" }, t("No issues match these filters."));
  const pager = h("nav", { class: "pager", "aria-label": t("Pages") });
  showPager(pager, answer, (page) => change({ page: page > 1 ? page : "" }));
  const counted = answer.findings.every(byObject);
  const where = counted ? t("Object") : t("Line");
  const same = new Set(answer.findings.map((item) => item.message)).size === 1;
  const fact = (label, text) => text && [h("dt", {}, label), h("dd", {}, text)];
  return [
    h(
      "dl",
      { class: "finding-facts" },
      same && fact(t("Issue type"), first.message),
      fact(t("What YOLO does"), first.effect),
      fact(
        t("How to fix"),
        first.fix ||
          (first.fixable
            ? null
            : t("No automatic fix. Correct it in your annotation tool and upload the dataset again.")),
      ),
    ),
    h(
      "div",
      { class: "table-wrap" },
      h(
        "table",
        { class: "list is-cards" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, t("File")),
            h("th", { scope: "col" }, where),
            !same && h("th", { scope: "col" }, t("Issue type")),
            h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("Actions"))),
          ),
        ),
        h(
          "tbody",
          {},
          answer.findings.map((item) => row(item, same, where)),
        ),
      ),
    ),
    pager,
  ];
}

function row(item, same, where) {
  return h(
    "tr",
    {},
    h(
      "td",
      { class: "wide file" },
      item.file || "–",
      byObject(item) && item.image && h("span", { class: "quiet finding-image" }, item.image),
    ),
    h("td", { "data-label": where, class: "tabular" }, item.line ? number(item.line) : "–"),
    !same && h("td", { class: "wide" }, item.message),
    h(
      "td",
      { class: "finding-look" },
      item.image_id &&
        h(
          "button",
          {
            class: "btn btn-outline btn-sm",
            type: "button",
            "data-look": item.image_id,
            onclick: () => change({ image: item.image_id }),
          },
          icon("image"),
          " ",
          t("View"),
          h("span", { class: "visually-hidden" }, ` ${item.file || ""}`),
        ),
    ),
  );
}
