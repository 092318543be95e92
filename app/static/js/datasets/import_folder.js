/* A dataset from a folder of the server: browse the folders below IMPORT_ROOT, choose one. */
import { get, post } from "../lib/api.js";
import { ask, failure, h, icon, setChildren, skeleton } from "../lib/dom.js";
import { t, tn } from "../lib/i18n.js";

const last = (path) => path.split("/").filter(Boolean).pop() || "";

/** Resolves to the new dataset's id, null when the reader cancelled. */
export async function importFolder() {
  const state = { path: "", named: false };
  const listing = h("div", { class: "folder-place" }, skeleton(4));
  const name = h("input", {
    class: "form-control",
    id: "import-name",
    maxlength: 100,
    required: true,
    autocomplete: "off",
    oninput: () => {
      state.named = true;
    },
  });
  const error = h("div", { role: "alert" });
  const open = async (path, focus = true) => {
    try {
      const answer = await get("/api/datasets/import", { path });
      Object.assign(state, { path: answer.path });
      if (!state.named) name.value = last(answer.path).slice(0, 100);
      setChildren(listing, folders(answer, open));
      if (focus) listing.querySelector("button")?.focus();
    } catch (problem) {
      setChildren(
        listing,
        failure(problem, () => open(path)),
      );
    }
  };
  open("", false);
  const complain = (...text) => {
    setChildren(error, h("p", { class: "field-error" }, ...text));
    return null;
  };
  /** @type {any} */
  let response = null;
  const send = async (form) => {
    form.disabled = true;
    try {
      response = await post("/api/datasets/import", { path: state.path || ".", name: name.value.trim() });
      form.closest("dialog").close();
    } catch (problem) {
      complain([problem.detail || problem.title, ...problem.errors.map((item) => item.message)].join(" "));
      form.disabled = false;
    }
  };
  const body = [
    h("p", {}, t("The original files aren't changed. The dataset gets its own copy or links.")),
    listing,
    h("div", { class: "field" }, h("label", { class: "form-label", for: "import-name" }, t("Name")), name),
    error,
  ];
  const read = () => {
    if (!name.value.trim()) return complain(t("Enter a name."));
    send(listing.closest("form").querySelector("[type=submit]"));
    return null; // the dialog closes when the server has accepted it
  };
  await ask({ title: t("Import from a server folder"), body, action: t("Import folder"), read });
  return response?.dataset_id ?? null;
}

function folders(answer, open) {
  const row = (symbol, label, path, count) =>
    h(
      "li",
      {},
      h(
        "button",
        { class: "folder", type: "button", onclick: () => open(path) },
        icon(symbol),
        h("span", { class: "folder-name", title: label }, label),
        count > 0 && h("span", { class: "quiet tabular" }, tn("{n} image", "{n} images", count)),
      ),
    );
  return [
    h(
      "p",
      { class: "folder-path file", role: "status" },
      icon("folder2-open"),
      " ",
      answer.path || t("the whole import folder"),
      answer.images > 0 && ` · ${tn("{n} image", "{n} images", answer.images)}`,
    ),
    h(
      "ul",
      { class: "folder-list" },
      answer.parent !== null && answer.parent !== undefined && row("arrow-90deg-up", t("up one level"), answer.parent),
      answer.folders.map((item) => row("folder", item.name, item.path, item.images)),
      !answer.folders.length && h("li", { class: "panel-empty" }, t("No subfolders.")),
    ),
    answer.truncated &&
      h(
        "p",
        { class: "quiet" },
        tn("Showing the first folder only.", "Showing the first {n} folders only.", answer.folders.length),
      ),
  ];
}
