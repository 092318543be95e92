/* How the import interpreted ambiguous numbers: a few images drawn in each interpretation, one click to choose another,
   one to confirm the present one. */
import { mayChangeHere } from "../lib/access.js";
import { post } from "../lib/api.js";
import { $, button, h, icon, setChildren, toast } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { drawing, names } from "./marks.js";

const isReading = (item) => item.code.startsWith("reading_") && item.readings?.length > 0;

export class Readings {
  /** `createRevision(options)` starts a revision with these options, and resolves to the reason of a refusal, if
   *  any. */
  constructor(current, panel, createRevision) {
    this.current = current;
    this.panel = panel;
    this.createRevision = createRevision;
    this.opened = null;
  }

  show() {
    const { data } = this.current;
    const items = (data.report?.decisions || []).filter(isReading);
    const open = items.filter((item) => !item.confirmed || item.code === this.opened);
    const busy = data.status === "validating" || data.status === "pending";
    const state = JSON.stringify([
      data.revision,
      busy,
      this.opened,
      items.map(({ code, confirmed }) => [code, confirmed]),
    ]);
    if (state === this.state) return;
    this.state = state;
    const container = $("[data-readings]", this.panel);
    container.hidden = !open.length || busy;
    setChildren(container, !container.hidden && this.section(open, data.needs_review));
  }

  /** Show a confirmed choice again. */
  open(item) {
    this.opened = item.code;
    this.show();
    $("[data-readings]", this.panel).scrollIntoView({ block: "start" });
  }

  section(items, expanded) {
    return h(
      "section",
      { class: `panel readings ${expanded ? "is-open" : ""}`, "aria-labelledby": "readings-title" },
      h(
        "header",
        { class: "panel-head" },
        h(
          "h2",
          { id: "readings-title" },
          expanded ? icon("exclamation-triangle-fill") : icon("signpost-split"),
          " ",
          t("Check how the labels were read"),
        ),
      ),
      h(
        "div",
        { class: "panel-body" },
        items.map((item) => this.choice(item)),
        expanded &&
          h(
            "div",
            { class: "reading-right" },
            h("p", { class: "quiet" }, t("Are the objects annotated in the right place, with the right class?")),
            mayChangeHere({}) && button("check-lg", t("Yes, right"), () => this.confirm(), "btn-primary"),
          ),
      ),
    );
  }

  choice(item) {
    const withNames = differ(item);
    return h(
      "div",
      { class: "reading", "data-reading": item.code },
      h("p", {}, item.message),
      h(
        "div",
        { class: "reading-ways" },
        item.readings.map(({ reading, label }) => this.way(item, reading, label, withNames)),
      ),
    );
  }

  /** The examples in one interpretation. */
  way(item, reading, label, withNames) {
    const chosen = reading === item.reading;
    const examples = item.examples.filter(({ drawn }) => drawn[reading]);
    return h(
      "div",
      { class: `reading-way ${chosen ? "is-taken" : ""}`, "data-way": reading },
      h(
        "div",
        { class: "reading-head" },
        h("strong", {}, label),
        chosen
          ? h("span", { class: "reading-mark" }, icon("check-circle-fill"), " ", t("In use"))
          : mayChangeHere({}) && button("", t("Use this reading"), () => this.choose(reading), "btn-outline btn-sm"),
      ),
      examples.length > 0 &&
        h(
          "div",
          { class: "reading-examples" },
          examples.map((example) => this.example(example, reading, withNames)),
        ),
    );
  }

  example({ thumbnail, file, width, height, drawn }, reading, withNames) {
    const image = { width, height, objects: drawn[reading] };
    return h(
      "figure",
      {
        class: "reading-example",
        title: file.split("/").slice(2).join("/"),
        style: { "aspect-ratio": `${width} / ${height}` },
      },
      h("img", { src: thumbnail, alt: file, loading: "lazy", decoding: "async" }),
      drawing(image),
      withNames && names(image, this.current.classes),
    );
  }

  async choose(reading) {
    const refused = await this.createRevision({ reading });
    if (refused) toast(refused, "failed");
  }

  async confirm() {
    try {
      this.current.data = await post(`${this.current.path}/review`);
      this.opened = null;
      this.current.emit("confirmed");
    } catch (error) {
      toast(error.detail || error.title, "failed");
    }
  }
}

/** Whether the interpretations give objects different classes: then their names are shown. */
function differ({ examples }) {
  return examples.some(
    ({ drawn }) =>
      new Set(Object.values(drawn).map((objects) => objects.map((object) => object.class).join())).size > 1,
  );
}
