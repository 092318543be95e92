/* The import's automatic decisions, and their changes. Each change creates a new revision; nothing is uploaded
   again. */
import { mayChangeHere } from "../lib/access.js";
import { $, button, h, icon, setChildren } from "../lib/dom.js";
import { t, tn } from "../lib/i18n.js";
import { CHANGES } from "./changes.js";

const OFFERS = ["split", "rename", "task"]; // what can be changed at any time, without a decision

export class Decisions {
  /** `createRevision(options)` starts a revision with these options, and resolves to the reason of a refusal, if any;
   *  `readings` shows a choice again. */
  constructor(current, panel, createRevision, readings) {
    this.current = current;
    this.panel = panel;
    this.createRevision = createRevision;
    this.readings = readings;
  }

  show() {
    const { data, busy } = this.current;
    const decisions = [...(data.report?.decisions || []), ...skipped(data.report?.skipped)];
    const state = JSON.stringify([data.revision, data.status, data.classes.length, busy, decisions]);
    if (state === this.state) return; // an open menu stays open
    this.state = state;
    setChildren(
      $("[data-decisions]", this.panel),
      decisions.length
        ? h(
            "ul",
            { class: "decisions" },
            decisions.map((item) => this.decision(item)),
          )
        : h(
            "p",
            { class: "panel-empty" },
            busy
              ? t("The dataset check isn't finished.")
              : t("No choices were needed: the dataset was imported as it is."),
          ),
    );
    const open = this.current.ready && mayChangeHere({});
    setChildren($("[data-change-tools]", this.panel), open && this.menu(OFFERS));
    setChildren(
      $("[data-class-tools]", this.panel),
      open &&
        data.classes.length > 0 &&
        button("pencil", t("Rename or merge"), () => this.open("rename"), "btn-outline btn-sm"),
    );
  }

  decision(item) {
    const { parameter } = item.change || {};
    const mine = mayChangeHere({});
    const changeable = mine && parameter && CHANGES[parameter] && this.current.data.status !== "validating";
    return h(
      "li",
      { class: "decision" },
      icon("signpost-split"),
      h("p", {}, item.message || item.code),
      changeable &&
        button("", CHANGES[parameter].label(), () => this.open(parameter, item.change), "btn-outline btn-sm"),
      mine &&
        item.confirmed &&
        item.readings?.length > 1 &&
        button("", t("Change reading"), () => this.readings.open(item), "btn-outline btn-sm"),
    );
  }

  menu(names) {
    return h(
      "div",
      { class: "dropdown" },
      h(
        "button",
        {
          class: "btn btn-outline btn-sm dropdown-toggle",
          type: "button",
          "data-bs-toggle": "dropdown",
          "aria-expanded": "false",
        },
        t("Change"),
      ),
      h(
        "ul",
        { class: "dropdown-menu dropdown-menu-end" },
        names.map((name) =>
          h(
            "li",
            {},
            h(
              "button",
              { class: "dropdown-item", type: "button", onclick: () => this.open(name) },
              icon(CHANGES[name].symbol),
              CHANGES[name].title(),
            ),
          ),
        ),
      ),
    );
  }

  /** Open the dialog of a change; the import's report provides the choices. */
  open(name, change = this.reported(name)) {
    return CHANGES[name].ask(this.current, change, this.createRevision);
  }

  reported(name) {
    const changes = (this.current.data.report?.decisions || []).map((item) => item.change);
    return changes.find((change) => change?.parameter === name) || {};
  }
}

const BY_SYSTEM = ["__MACOSX", "hidden"]; // files that macOS and other systems add
const bySystem = (name) => name.split("/").some((part) => part === "__MACOSX" || part.startsWith("."));

/** Files of the upload that are not part of the dataset, as one or two lines. */
function skipped({ count = 0, kinds = {}, names = [] } = {}) {
  const system = BY_SYSTEM.reduce((sum, kind) => sum + (kinds[kind] || 0), 0);
  const rest = count - system;
  const examples = names.filter((name) => !bySystem(name)).slice(0, 5);
  const some = examples.join(", ") + (rest > examples.length ? " …" : "");
  return [
    rest > 0 && {
      message: tn("{n} file was left out: {names}", "{n} files were left out: {names}", rest, { names: some }),
    },
    system > 0 && {
      message: tn(
        "{n} system file (__MACOSX, hidden files) was left out. It isn't part of the dataset.",
        "{n} system files (__MACOSX, hidden files) were left out. They aren't part of the dataset.",
        system,
      ),
    },
  ].filter(Boolean);
}
