/* A dialog to search trainings by name, on the server, and to select some of them. */
import { get } from "../lib/api.js";
import { failure, h, icon, setChildren, skeleton } from "../lib/dom.js";
import { fixed, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { modelName, trainingBadge } from "../ui/status.js";

const MAX_RUNS = 12;

/** Why the list is empty, and what to do about it. */
function nothing(searched, excluded) {
  const next = h("a", { href: "/trainings/new" }, t("New training run"));
  if (searched) return h("p", { class: "panel-empty" }, t("No run matches this name."));
  return h("p", { class: "panel-empty" }, excluded ? t("No other runs.") : t("No runs yet"), " ", next);
}

/** Let the reader choose up to `most` trainings that are not in `excluded`. Resolves to their ids; null when
 *  cancelled. */
export function pickRuns(excluded, most) {
  return new Promise((resolve) => {
    const chosen = new Set();
    const list = h("div", { class: "picker-list", role: "group", "aria-label": t("Training runs") }, skeleton(4));
    const count = h("span", { class: "quiet", role: "status" });
    const submit = h("button", { class: "btn btn-primary", type: "submit", disabled: true }, t("Add"));
    const search = h("input", {
      class: "form-control",
      type: "search",
      maxlength: 100,
      placeholder: t("Search by name"),
      "aria-label": t("Search by name"),
      oninput: () => {
        clearTimeout(timer);
        timer = setTimeout(load, 250);
      },
    });
    let timer;
    let turn = 0;
    const update = () => {
      count.textContent = chosen.size
        ? tn("{n} selected", "{n} selected", chosen.size)
        : tn("You can add {n} more.", "You can add {n} more.", most);
      submit.disabled = !chosen.size;
      for (const box of list.querySelectorAll("input")) box.disabled = !box.checked && chosen.size >= most;
    };
    const row = (training) =>
      h(
        "label",
        { class: "picker-row" },
        h("input", {
          class: "form-check-input",
          type: "checkbox",
          checked: chosen.has(training.id),
          onchange: ({ target }) => {
            if (target.checked) chosen.add(training.id);
            else chosen.delete(training.id);
            update();
          },
        }),
        h(
          "span",
          { class: "picker-name" },
          h("strong", { title: training.name }, training.name),
          h(
            "span",
            { class: "under" },
            [
              training.dataset_name,
              modelName(training),
              t("epoch {epoch}", { epoch: number(training.current_epoch) }),
            ].join(" · "),
          ),
        ),
        h(
          "span",
          { class: "tabular" },
          Number.isFinite(training.best?.map50) ? `mAP50 ${fixed(training.best.map50)}` : "",
        ),
        trainingBadge(training),
      );
    async function load() {
      const now = ++turn;
      try {
        const { trainings } = await get("/api/trainings", {
          search: search.value.trim(),
          per_page: MAX_RUNS + excluded.length,
        });
        if (now !== turn) return;
        const free = trainings.filter(({ id }) => !excluded.includes(id)).slice(0, MAX_RUNS);
        setChildren(list, free.length ? free.map(row) : nothing(search.value.trim(), excluded.length));
        update();
      } catch (error) {
        if (now === turn) setChildren(list, failure(error, load));
      }
    }
    const close = (value) => {
      resolve(value);
      dialog.close();
    };
    const dialog = h(
      "dialog",
      {
        class: "dialog is-wide",
        "aria-labelledby": "picker-title",
        onclose: () => {
          clearTimeout(timer);
          dialog.remove();
          resolve(null);
        },
      },
      h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            close([...chosen]);
          },
        },
        h(
          "div",
          { class: "dialog-body" },
          h("h2", { id: "picker-title" }, t("Add runs")),
          h("label", { class: "search" }, icon("search"), search),
          list,
        ),
        h(
          "div",
          { class: "dialog-actions" },
          count,
          h("button", { class: "btn btn-outline", type: "button", onclick: () => close(null) }, t("Cancel")),
          submit,
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
    search.focus();
    load();
  });
}
