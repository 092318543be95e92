/* The revisions of the dataset: the origin of each, its contents, its users, and which one is used now. */
import { mayChangeHere } from "../lib/access.js";
import { get, post } from "../lib/api.js";
import { $, button, confirmed, fillFrom, h, icon, setChildren, toast } from "../lib/dom.js";
import { ago, bytes, dateTime, number } from "../lib/format.js";
import { locale, t, tn } from "../lib/i18n.js";
import { bar } from "../ui/status.js";
import { SPLITS, formatName, imagesIn, splitName, taskName } from "../lib/vocabulary.js";

const FEW = 4; // shown before "all"

const ORIGINS = {
  upload: () => t("As uploaded"),
  import: () => t("As imported"),
  adopted: () => t("Before versions were introduced"),
  options: ({ options }, base) => changes(options, base?.options).join("; ") || t("Rebuilt"),
  fix: (revision, base) =>
    [...changes(revision.options, base?.options), fixed(revision, base)].filter(Boolean).join("; ") || t("Rebuilt"),
};

const did = ({ images, rows, files }) => images || rows || files.length > 0;

/** What was fixed that its base had not fixed, as far as there were such findings. */
function fixed({ origin, effects = [], status }, base) {
  if (!Array.isArray(origin.fixes)) return t("all fixable issues fixed");
  const before = base?.origin?.fixes || [];
  const codes = origin.fixes.filter(
    (code) =>
      !before.includes(code) &&
      (status === "building" || effects.some((effect) => effect.code === code && did(effect))),
  );
  return codes.length > 0 && tn("{n} type of issue fixed", "{n} types of issues fixed", codes.length);
}

/** The options of a revision that its base did not have. */
function changes(options = {}, before = {}) {
  const descriptions = {
    split: (split) =>
      split === null
        ? t("original split")
        : t("split {train} / {val} / {test}, seed {seed}", {
            train: number(split.train, 1),
            val: number(split.val, 1),
            test: number(split.test, 1),
            seed: split.seed,
          }),
    rename: (rename, was) =>
      rename &&
      tn(
        "{n} class renamed",
        "{n} classes renamed",
        Object.keys(rename).filter((name) => rename[name] !== was?.[name]).length,
      ),
    names: (names) => names && tn("{n} class named", "{n} classes named", names.length),
    root: (root, was) => (root ? t("folder “{root}”", { root }) : root === "" && was && t("whole ZIP")),
    merge: (merge, was) => (merge ? t("all datasets of the ZIP merged") : was && t("one of the datasets in the ZIP")),
    task: (task) => task && task !== "auto" && t("task: {task}", { task: taskName(task) }),
    format: (format) => format && t("format: {format}", { format: formatName(format) }),
  };
  const changed = Object.entries(options).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]),
  );
  return changed.map(([name, value]) => descriptions[name]?.(value, before[name])).filter(Boolean);
}

/** The origin of a revision, in words; `base` is the one that it was made from. */
const origin = (revision, base) =>
  capital((ORIGINS[revision.origin?.kind] || (() => revision.origin?.kind || "–"))(revision, base));

const capital = (text) => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);

export class Revisions {
  /** `changed()` is called when another revision is used. */
  constructor(current, panel, changed) {
    this.current = current;
    this.panel = panel;
    this.changed = changed;
    this.all = false;
  }

  load() {
    return fillFrom(
      $("[data-revisions]", this.panel),
      () => get(`${this.current.path}/revisions`),
      (answer) => this.show(answer.revisions),
    );
  }

  show(revisions) {
    this.list = [...revisions].sort((a, b) => b.number - a.number);
    const visible = this.all ? this.list : this.list.slice(0, FEW);
    $("[data-revision-count]", this.panel).textContent = this.list.length ? number(this.list.length) : "";
    setChildren(
      $("[data-revisions]", this.panel),
      visible.length
        ? h(
            "ol",
            { class: "revisions", reversed: true },
            visible.map((item) => this.row(item)),
          )
        : h("p", { class: "panel-empty" }, this.current.busy ? t("Creating the first version.") : t("No versions.")),
      visible.length < this.list.length &&
        h(
          "p",
          { class: "panel-more" },
          button(
            "",
            t("Show all ({n})", { n: number(this.list.length) }),
            async () => {
              this.all = true;
              this.show(this.list);
            },
            "btn-outline btn-sm",
          ),
        ),
    );
  }

  row(item) {
    const isCurrent = item.number === this.current.data.revision;
    const counts = SPLITS.filter((split) => imagesIn(item, split))
      .map((split) => `${splitName(split)} ${number(imagesIn(item, split))}`)
      .join(" · ");
    return h(
      "li",
      { class: `revision ${isCurrent ? "is-current" : ""}`, value: item.number, "data-revision": item.number },
      h("span", { class: "revision-number tabular", "aria-hidden": "true" }, String(item.number)),
      h(
        "div",
        { class: "revision-main" },
        h(
          "p",
          {},
          h(
            "strong",
            {},
            origin(
              item,
              this.list.find((other) => other.number === item.origin?.base),
            ),
          ),
          " ",
          isCurrent && h("span", { class: "revision-now" }, icon("check2"), " ", t("current")),
        ),
        item.status === "building" && bar(null, "", t("In progress")),
        item.status === "failed"
          ? h(
              "p",
              { class: "revision-error" },
              icon("x-octagon-fill"),
              " ",
              item.error || t("The version couldn't be created."),
            )
          : h(
              "p",
              { class: "quiet tabular" },
              item.error && [h("span", { class: "revision-error" }, icon("x-octagon-fill"), " ", item.error), h("br")],
              [
                counts,
                item.classes?.length && tn("{n} class", "{n} classes", item.classes.length),
                item.size_bytes && bytes(item.size_bytes),
              ]
                .filter(Boolean)
                .join(" · "),
            ),
        h(
          "p",
          { class: "quiet tabular" },
          h("span", { title: dateTime(item.created_at) }, ago(item.created_at)),
          item.hash && [
            " · ",
            h(
              "span",
              { class: "mono", title: t("SHA-256 of images, labels, classes and split: {hash}", { hash: item.hash }) },
              item.hash.slice(0, 10),
            ),
          ],
          item.trainings?.length > 0 && [
            " · ",
            h("a", { href: "?tab=trainings", "data-go": "" }, tn("{n} run", "{n} runs", item.trainings.length)),
          ],
        ),
      ),
      mayChangeHere({}) &&
        item.status === "ready" &&
        !isCurrent &&
        !item.error &&
        button("", t("Use version"), () => this.use(item), "btn-outline btn-sm"),
    );
  }

  async use(item) {
    const text = t(
      "New runs, the Images tab and the Issues tab will use version {n} ({images}). The current version " +
        "stays in the list.",
      { n: number(item.number), images: tn("{n} image", "{n} images", item.total_images) },
    );
    if (
      !(await confirmed({
        title: t("Use version {n}?", { n: number(item.number) }),
        text,
        action: t("Use version"),
        className: "btn-primary",
      }))
    )
      return;
    try {
      await post(`${this.current.path}/revisions/${item.number}/use`);
      toast(t("Version {n} is now the current one.", { n: number(item.number) }), "success");
      await this.changed();
    } catch (error) {
      toast(error.detail || error.title, "failed");
    }
  }
}
