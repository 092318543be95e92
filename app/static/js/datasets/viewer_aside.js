/* The panel beside a large image: its figures, its findings, its objects. */
import { h, icon } from "../lib/dom.js";
import { bytes, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { splitName } from "../lib/vocabulary.js";
import { badge } from "../ui/status.js";
import { classTag, pixels } from "./objects.js";

/** Whether the finding's line is the number of an object, as in annotation files. */
export const byObject = ({ file }) => /\.(xml|json)$/i.test(file || "");

/** `mark(index, is)` is called when the reader points at an object in the list. */
export function aside(image, names, mark) {
  return [figures(image), findings(image, mark), objects(image, names, mark)];
}

function figures(image) {
  return h(
    "p",
    { class: "viewer-figures" },
    h("span", { class: `split-tag split-tag-${image.split}` }, splitName(image.split)),
    " ",
    [image.width && `${image.width} × ${image.height} px`, bytes(image.bytes)].filter(Boolean).join(" · "),
    " ",
    image.url &&
      h(
        "a",
        { href: image.url, download: image.file.split("/").pop(), class: "nowrap" },
        icon("download"),
        " ",
        t("Image"),
      ),
  );
}

function findings(image, mark) {
  if (!image.findings.length) return null;
  const described = image.findings.filter((item) => item.message); // from a list there are only codes
  return h(
    "section",
    { "aria-labelledby": "viewer-findings" },
    h("h3", { id: "viewer-findings" }, tn("{n} issue", "{n} issues", image.findings.length)),
    h(
      "ul",
      { class: "viewer-findings" },
      alike(described).map(([item, ...rest]) =>
        h(
          "li",
          rest.length ? {} : pointing(item, image, mark),
          badge(item.severity),
          h(
            "div",
            {},
            h("p", {}, item.message),
            rest.length > 0 && lines([item, ...rest], image, mark),
            !rest.length &&
              item.line &&
              h(
                "p",
                { class: "quiet file" },
                byObject(item)
                  ? t("object {number}", { number: number(item.line) })
                  : t("line {line}", { line: number(item.line) }),
              ),
            item.effect && h("p", { class: "quiet" }, item.effect),
            item.fix && h("p", { class: "quiet" }, icon("wrench-adjustable"), " ", item.fix),
          ),
        ),
      ),
    ),
  );
}

/** Findings with the same text for several lines, grouped. */
function alike(items) {
  const groups = new Map();
  for (const item of items) {
    const key = `${item.code} ${item.message}`;
    groups.set(key, [...(groups.get(key) || []), item]);
  }
  return [...groups.values()];
}

/** Their lines, each of which points at its object. */
function lines(items, image, mark) {
  return h(
    "p",
    { class: "quiet file" },
    byObject(items[0]) ? t("objects") : t("lines"),
    items
      .filter((item) => item.line)
      .map((item) => [" ", h("span", { class: "viewer-line", ...pointing(item, image, mark) }, number(item.line))])
      .flat(),
  );
}

/** A finding about a line of the label file points at the object in this line; an object that the import left out
 *  cannot be pointed at. */
function pointing(finding, image, mark) {
  const index = finding.line ? image.objects.findIndex((object) => object.line === finding.line) : -1;
  return index < 0
    ? {}
    : {
        tabindex: "0",
        onmouseenter: () => mark(index, true),
        onmouseleave: () => mark(index, false),
        onfocus: () => mark(index, true),
        onblur: () => mark(index, false),
      };
}

function objects(image, names, mark) {
  if (!image.objects.length)
    return h("p", { class: "quiet" }, t("This image has no labels: it is a background image."));
  return h(
    "section",
    { "aria-labelledby": "viewer-objects" },
    h("h3", { id: "viewer-objects" }, tn("{n} object", "{n} objects", image.objects.length)),
    h(
      "ul",
      { class: "viewer-objects" },
      image.objects.map((object, index) => {
        const size = pixels(object, image);
        return h(
          "li",
          {
            tabindex: "0",
            onmouseenter: () => mark(index, true),
            onmouseleave: () => mark(index, false),
            onfocus: () => mark(index, true),
            onblur: () => mark(index, false),
          },
          classTag(names, object.class),
          h(
            "span",
            { class: "quiet tabular nowrap" },
            size ? `${Math.round(size.width)} × ${Math.round(size.height)}` : "",
          ),
        );
      }),
    ),
  );
}
