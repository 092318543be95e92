/* Fixes findings: shows what will happen before, and what was done after. */
import { post } from "../lib/api.js";
import { ask, h, icon, setChildren, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { badge } from "../ui/status.js";

/** Starts revisions of the dataset and reports how they ended. */
export class Work {
  constructor(current, container) {
    this.current = current;
    this.container = container;
    this.requested = null;
  }

  /** Confirm, then fix the findings with these codes ("all" or a list); `groups`: the codes of GET findings. */
  async fix(codes, groups) {
    const cost =
      codes === "all" ? (await this.current.once("findings", { per_page: 1 }).catch(() => null))?.cost : null;
    const count = groups.reduce((sum, group) => sum + group.fixable, 0);
    const agreed = await ask({
      title: tn("Fix {n} issue?", "Fix {n} issues?", count),
      action: t("Fix and create version"),
      body: [
        h("p", {}, tn("The fix for {n} type of issue:", "The fixes for {n} types of issues:", groups.length)),
        h("ul", { class: "fix-list", tabindex: "0", "aria-label": t("Fixes to apply") }, groups.map(planned)),
        costs(
          cost ||
            groups.reduce(
              (sum, group) => ({
                rows: sum.rows + (group.cost?.rows || 0),
                images: sum.images + (group.cost?.images || 0),
              }),
              { rows: 0, images: 0 },
            ),
        ),
        h(
          "p",
          { class: "dialog-note" },
          icon("info-circle"),
          h(
            "span",
            {},
            t(
              "The current version and the original upload are kept. A new version is created and becomes the " +
                "current one.",
            ),
          ),
        ),
      ],
    });
    const refused = agreed && (await this.start(() => post(`${this.current.path}/fix`, { codes })));
    if (refused) toast(refused, "failed");
  }

  /** Create a revision with other options. */
  change(options) {
    return this.start(() => post(`${this.current.path}/revisions`, options));
  }

  /** Resolves to the reason of a refusal, or to nothing. */
  async start(request) {
    try {
      const { revision } = await request();
      this.requested = revision;
      toast(t("Creating version {n}.", { n: number(revision) }));
      this.current.emit("started");
      return null;
    } catch (error) {
      return error.errors?.length ? error.errors.map((item) => item.message).join(" ") : error.detail || error.title;
    }
  }

  /** The revisions were reloaded: report the end of the one requested here, and what the present one fixed. */
  revisionsChanged(revisions) {
    const revision = revisions.find((item) => item.number === this.requested);
    if (revision && revision.status !== "building") {
      this.requested = null;
      if (revision.status === "failed")
        toast(revision.error || t("Version {n} couldn't be created.", { n: number(revision.number) }), "failed");
      else if (!revision.current)
        toast(
          [
            t("Version {n} can't be used for training. The previous version stays in use.", {
              n: number(revision.number),
            }),
            revision.error,
          ]
            .filter(Boolean)
            .join(" "),
          "failed",
        );
      else if (revision.error) toast(revision.error, "failed");
      else toast(t("Version {n} is ready and is now the current one.", { n: number(revision.number) }), "success");
    }
    const present = revisions.find((item) => item.number === this.current.data.revision);
    if (present?.number !== this.revision) this.fixed(present);
  }

  /** What the present revision fixed, with its findings beside those of its base. */
  async fixed(revision) {
    this.revision = revision?.number;
    setChildren(this.container);
    const effects = Object.entries(this.current.data.report?.effects || {});
    if (revision?.origin?.kind !== "fix" || !effects.length) return;
    const [before, after] = await Promise.all(
      [revision.origin.base, revision.number].map((version) =>
        this.current.once("findings", { revision: version, per_page: 1 }).catch(() => null),
      ),
    );
    if (this.revision === revision.number)
      setChildren(
        this.container,
        report(revision, effects, before, after, () => setChildren(this.container)),
      );
  }
}

function report(revision, effects, before, after, close) {
  const titles = new Map(revision.effects?.map((item) => [item.code, item.title]));
  const change = (name) =>
    before &&
    after &&
    h(
      "li",
      {},
      badge(name),
      " ",
      h("span", { class: "tabular" }, `${number(before.counts[name])} → ${number(after.counts[name])}`),
    );
  const did = ({ images, rows }) =>
    [images && tn("{n} image", "{n} images", images), rows && tn("{n} label row", "{n} label rows", rows)]
      .filter(Boolean)
      .join(", ");
  return h(
    "section",
    { class: "panel fixed", role: "status" },
    icon("check-circle-fill"),
    h(
      "div",
      { class: "fixed-text" },
      h("strong", {}, t("Fixed. Version {n} is now the current one.", { n: number(revision.number) })),
      h("ul", { class: "fixed-counts" }, ["error", "warning", "info"].map(change)),
      h(
        "ul",
        { class: "fixed-list" },
        effects.map(([code, effect]) =>
          h(
            "li",
            { title: effect.files?.join("\n") || null },
            titles.get(code) || code,
            ": ",
            h("span", { class: "tabular" }, did(effect) || (!effect.unsaved && t("files removed"))),
            unsaved(effect),
          ),
        ),
      ),
    ),
    h("button", { class: "btn-close", type: "button", "aria-label": t("Close"), onclick: close }),
  );
}

/** The images that could not be saved again: how many, and which. */
const unsaved = ({ unsaved: count, unsaved_files: files = [] }) =>
  count > 0 &&
  h(
    "p",
    { class: "quiet" },
    tn(
      "{n} image stays as it is. Saving it again takes too much time or memory:",
      "{n} images stay as they are. Saving them again takes too much time or memory:",
      count,
    ),
    " ",
    files.join(", "),
    count > files.length && "…",
  );

/** What the fixes remove, shown before they do. */
const costs = ({ rows, images }) =>
  rows > 0 &&
  h(
    "div",
    { class: "notice is-warning fix-cost" },
    icon("exclamation-triangle-fill"),
    h(
      "div",
      { class: "notice-text" },
      h(
        "p",
        {},
        tn("{n} label row is removed, with its object.", "{n} label rows are removed, with their objects.", rows),
      ),
      images > 0 &&
        h(
          "p",
          {},
          tn(
            "{n} image has no row left and is left out, so that it doesn't become a background image.",
            "{n} images have no row left and are left out, so that they don't become background images.",
            images,
          ),
        ),
    ),
  );

/** One code in the question: how many of its findings are fixed, and how. */
const planned = (group) =>
  h(
    "li",
    {},
    badge(group.severity),
    h(
      "div",
      {},
      h("strong", {}, group.title),
      h("span", { class: "tabular" }, `\u00a0·\u00a0${number(group.fixable)}`),
      group.fix && h("p", { class: "quiet" }, group.fix),
    ),
  );
