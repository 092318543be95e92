/* A dataset in the list: images, classes, split, state, and the progress of its validation. */
import { mayChange } from "../lib/access.js";
import { classChips, pictures, splitBar } from "./common.js";
import { h, icon } from "../lib/dom.js";
import { ago, bytes, dateTime, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { badge, bar } from "../ui/status.js";
import { shareOf, stageText } from "./progress.js";
import { taskName } from "../lib/vocabulary.js";
import { sharedText } from "../ui/sharing.js";

const SAMPLES = 3;
const BUSY = ["pending", "validating"];

/** `progress`: {stage, done, total} of a running validation; `erase()` is called by its button. */
export function card(dataset, progress, erase) {
  const busy = BUSY.includes(dataset.status);
  return h(
    "article",
    { class: "panel dataset-card", "data-dataset": dataset.id },
    samples(dataset),
    h(
      "div",
      { class: "card-head" },
      h("a", { class: "live-name card-open", href: `/datasets/${dataset.id}`, title: dataset.name }, dataset.name),
      badge(dataset.status),
    ),
    dataset.needs_review &&
      h("p", { class: "review-mark" }, icon("exclamation-triangle-fill"), " ", t("Check how the labels were read")),
    dataset.status === "invalid"
      ? h(
          "p",
          { class: "card-error", title: dataset.error },
          dataset.error || t("This dataset can't be used for training. Open it to see why."),
        )
      : classChips(dataset.classes),
    busy || progress?.stage ? working(progress || dataset.progress || {}) : splitBar(dataset),
    h(
      "div",
      { class: "card-foot" },
      h(
        "span",
        {},
        [pictures(dataset.total_images), dataset.size_bytes && bytes(dataset.size_bytes), taskName(dataset.task)]
          .filter(Boolean)
          .join(" · "),
        " · ",
        h("span", { title: dateTime(dataset.created_at), class: "nowrap" }, ago(dataset.created_at)),
        dataset.created_by && ` · ${dataset.created_by.name}`,
        sharedText(dataset),
      ),
      mayChange(dataset) &&
        h(
          "button",
          {
            class: "icon-button card-delete",
            type: "button",
            title: t("Delete"),
            "aria-label": t("Delete {name}", { name: dataset.name }),
            onclick: erase,
          },
          icon("trash3"),
        ),
    ),
  );
}

function samples({ samples: urls = [] }) {
  const visible = urls.slice(0, SAMPLES);
  const picture = (src) => {
    const image = h("img", {
      src,
      alt: "",
      loading: "lazy",
      decoding: "async",
      onerror: () => image.replaceWith(h("span", {})),
    });
    return image;
  };
  return h(
    "div",
    { class: "samples", "aria-hidden": "true" },
    visible.length ? visible.map(picture) : h("span", { class: "samples-none" }, icon("images")),
  );
}

function working(progress) {
  const share = shareOf(progress);
  return [
    bar(share, "", t("Checking")),
    h(
      "div",
      { class: "split-legend" },
      [share !== null && percent(share), stageText(progress)].filter(Boolean).join(" · "),
    ),
  ];
}
