/* Pages of a list, and filters whose state is in the address. */
import { h, icon, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";

/** Show "1–20 of 318" with buttons; `go(page)` loads another one. Hidden when everything fits on one page. */
export function showPager(container, { page, pages, per_page: size, total }, go) {
  container.hidden = pages <= 1;
  const first = (page - 1) * size + 1;
  const button = (label, symbol, target, enabled) =>
    h(
      "button",
      {
        class: "btn btn-outline btn-sm",
        type: "button",
        disabled: !enabled,
        "aria-label": label,
        title: label,
        onclick: () => go(target),
      },
      icon(symbol),
    );
  setChildren(
    container,
    h(
      "span",
      { class: "tabular" },
      t("{first}–{last} of {total}", {
        first: number(first),
        last: number(Math.min(total, page * size)),
        total: number(total),
      }),
    ),
    h(
      "span",
      { class: "pager-buttons" },
      button(t("First page"), "chevron-double-left", 1, page > 1),
      button(t("Previous page"), "chevron-left", page - 1, page > 1),
      button(t("Next page"), "chevron-right", page + 1, page < pages),
      button(t("Last page"), "chevron-double-right", pages, page < pages),
    ),
  );
}

/** Bind the named controls in `form` to the address; `changed(query)` is called at once and after each change. */
export function filters(form, changed) {
  const controls = [...form.querySelectorAll("[name]")];
  const fromAddress = () => {
    const query = new URLSearchParams(window.location.search);
    for (const control of controls) setTo(control, query.get(control.name) ?? defaultOf(control));
    return Math.max(1, Number.parseInt(query.get("page"), 10) || 1);
  };
  const query = (page) => ({
    page,
    ...Object.fromEntries(controls.map((control) => [control.name, control.value.trim()])),
  });
  const go = (page, replace = false) => {
    const filled = Object.entries(query(page)).filter(
      ([name, value]) => value && !(name === "page" && value === 1) && value !== defaultFor(controls, name),
    );
    const address = filled.length ? `?${new URLSearchParams(filled)}` : window.location.pathname;
    window.history[replace ? "replaceState" : "pushState"](null, "", address);
    return changed(query(page));
  };
  let timer;
  for (const control of controls) {
    control.addEventListener(control.type === "search" ? "input" : "change", () => {
      clearTimeout(timer);
      const typed = control.type === "search"; // each letter would be an entry in the history
      timer = setTimeout(() => go(1, typed), typed ? 250 : 0);
    });
  }
  window.addEventListener("popstate", () => changed(query(fromAddress())));
  const page = fromAddress();
  changed(query(page));
  const set = (name, value) => {
    const control = controls.find((item) => item.name === name);
    setTo(control, value);
    return go(1);
  };
  const clear = () => {
    for (const control of controls)
      if (control.name !== "sort" && control.type !== "hidden") control.value = defaultOf(control);
    return go(1);
  };
  /** Whether the address has a page after the last one, which is then shown instead. */
  const beyond = ({ page: requested, pages }) => {
    const last = Math.max(1, pages);
    if (requested > last) go(last, true);
    return requested > last;
  };
  /** Shown when no item matches the filters, with a button to reset them. */
  const nothing = (text) =>
    h(
      "div",
      { class: "panel-empty" },
      h("p", {}, text),
      h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: clear }, t("Show all")),
    );
  return {
    go,
    set,
    beyond,
    nothing,
    current: () =>
      query(Math.max(1, Number.parseInt(new URLSearchParams(window.location.search).get("page"), 10) || 1)),
    fromAddress,
  };
}

/** A choice may not exist yet: the server lists it a moment later (see `offer`). One that the page itself does not have
 *  is a mistyped address: the default is used. */
function setTo(control, value, awaited = control.options?.length === 1) {
  control.value = value;
  if (control.tagName !== "SELECT" || control.value === value) return;
  if (!awaited) {
    control.value = defaultOf(control);
    return;
  }
  control.append(h("option", { value, "data-awaited": true }, value));
  control.value = value;
}

/** Fill a select with the server's options; the selection is kept. */
export function offer(select, options) {
  const { value } = select;
  select.querySelector("[data-awaited]")?.remove();
  select.append(...options.map(([key, text]) => h("option", { value: key }, text)));
  setTo(select, value, true);
}

const defaultOf = (control) => (control.tagName === "SELECT" ? control.options[0].value : "");
const defaultFor = (controls, name) => {
  const control = controls.find((item) => item.name === name);
  return control ? defaultOf(control) : undefined;
};
