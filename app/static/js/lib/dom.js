/* Creates elements from data. Text is always set as text, never as HTML, since names come from users. */
import { t } from "./i18n.js";

/** @param {string} selector @param {ParentNode} root @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);
/** @param {string} selector @param {ParentNode} root @returns {any[]} */
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element: `h("a", {class: "x", href, onclick}, "text", other, null)`.
 *  @param {string} tag @param {Record<string, any>} attributes @param {any[]} children @returns {any} */
export function h(tag, attributes = {}, ...children) {
  /** @type {any} */
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style")
      for (const [key, item] of Object.entries(value)) element.style.setProperty(key, String(item));
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** @param {string} name of Bootstrap Icons */
export const icon = (name) => h("i", { class: `bi bi-${name}`, "aria-hidden": "true" });

const TAIL = 10; // letters at the end of a long name that are never cut

/** A long name in two parts, of which only the first is truncated, since names with the same beginning differ at their
 * end.
 *  @param {string} name */
export function longName(name) {
  const letters = [...name];
  if (letters.length < 3 * TAIL) return name;
  return h(
    "span",
    { class: "long-name" },
    h("span", { class: "long-name-start" }, letters.slice(0, -TAIL).join("")),
    h("span", {}, letters.slice(-TAIL).join("")),
  );
}

/** Replace the contents of `element`.
 *  @template {Element} E @param {E} element @param {any[]} children @returns {E} */
export function setChildren(element, ...children) {
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Set the text of an element that contains nothing else. It reuses the text node: a new one would cost a style
 * recalculation of everything around it.
 *  @param {Element} element @param {string} text */
export function write(element, text) {
  const { firstChild: node } = element;
  if (!(node instanceof Text) || node.nextSibling) element.textContent = text;
  else if (node.data !== text) node.data = text;
}

/** Set properties and attributes (`aria-…`) of an element, but only those that differ: setting an equal one would
 *  invalidate styles and notify observers nevertheless.
 *  @template {Element} E @param {E} element @param {Record<string, any>} values @returns {E} */
export function setDifferent(element, values) {
  /** @type {any} */
  const target = element;
  for (const [name, value] of Object.entries(values)) {
    if (name in target) {
      if (target[name] !== value) target[name] = value;
    } else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
  }
  return element;
}

/** Grey lines where content will appear. */
export function skeleton(rows = 3, className = "") {
  return h(
    "div",
    { class: `skeletons ${className}`, "aria-hidden": "true" },
    Array.from({ length: rows }, () => h("span", { class: "skeleton" })),
  );
}

/** A part without content yet, with its first step.
 *  @param {{symbol: string, title: string, text: any, actions?: any[]}} content */
export function blank({ symbol, title, text, actions = [] }) {
  return h(
    "div",
    { class: "blank" },
    h("span", { class: "blank-symbol" }, icon(symbol)),
    h("h2", {}, title),
    h("p", { class: "blank-text" }, text),
    h("div", { class: "blank-actions" }, actions),
  );
}

/** What failed and why, with a button to retry.
 *  @param {any} error an ApiError, or what has its fields @param {(() => void) | null} [retry] @param {string} title */
export function failure(error, retry, title = error.title || t("Something went wrong")) {
  const again =
    retry &&
    h(
      "button",
      { class: "btn btn-outline btn-sm", type: "button", onclick: retry },
      icon("arrow-clockwise"),
      " ",
      t("Try again"),
    );
  return h(
    "div",
    { class: "notice", role: "alert" },
    icon("exclamation-octagon-fill"),
    h("div", { class: "notice-text" }, title && h("strong", {}, title), error.detail || error.message),
    again,
  );
}

/** Load into a container: skeleton (unless it has content), then the content, or the failure with a retry.
 *  @template T @param {Element} container @param {() => Promise<T>} load
 *  @param {(data: T, container: Element) => any} show
 *  @returns {Promise<T | null>} */
export async function fillFrom(container, load, show) {
  try {
    const data = await load();
    await show(data, container);
    return data;
  } catch (error) {
    if (!(error instanceof Error && "title" in error)) console.error(error);
    setChildren(
      container,
      failure(error, () => {
        setChildren(container, skeleton());
        fillFrom(container, load, show);
      }),
    );
    return null;
  }
}

/** A short message in the corner; an action is a button in it, which keeps it longer.
 *  @param {string} text @param {"info" | "success" | "failed"} kind
 *  @param {{label: string, act: () => any} | null} action */
export function toast(text, kind = "info", action = null) {
  const symbols = { info: "info-circle", success: "check-circle-fill", failed: "exclamation-octagon-fill" };
  const act = () => {
    note.remove();
    action?.act();
  };
  const note = h(
    "div",
    { class: "toast-note" },
    icon(symbols[kind]),
    h("span", { class: "toast-text" }, text),
    action && h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: act }, action.label),
    h("button", { class: "btn-close", type: "button", "aria-label": t("Close"), onclick: () => note.remove() }),
  );
  $("[data-toasts]").append(note);
  setTimeout(() => note.remove(), kind === "failed" || action ? 15000 : 6000);
}

/** Ask in a dialog. Resolves to `read()` when the reader confirms, null when not; a falsy answer, or a promise of one,
 * keeps the dialog open.
 *  @param {{title: string, body: any, action: string, className?: string, read?: () => any}} question
 *  @returns {Promise<any>} */
export function ask({ title, body, action, className = "btn-primary", read = () => true }) {
  return new Promise((resolve) => {
    /** @param {any} value */
    const close = (value) => {
      resolve(value);
      dialog.close();
    };
    /** @param {Event} event */
    const agree = async (event) => {
      event.preventDefault();
      const submit = $("[type=submit]", dialog);
      submit.disabled = true; // confirming once is enough, however long the response takes
      const answer = await read();
      submit.disabled = false;
      if (answer) close(answer);
    };
    const dialog = h(
      "dialog",
      {
        class: "dialog",
        "aria-labelledby": "dialog-title",
        onclose: () => {
          dialog.remove();
          resolve(null);
        },
      },
      h(
        "form",
        { novalidate: true, onsubmit: agree },
        h("div", { class: "dialog-body" }, h("h2", { id: "dialog-title" }, title), body),
        h(
          "div",
          { class: "dialog-actions" },
          h("button", { class: "btn btn-outline", type: "button", onclick: () => close(null) }, t("Cancel")),
          h("button", { class: `btn ${className}`, type: "submit" }, action),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Ask before something is lost. Resolves to whether the reader confirmed.
 *  @param {{title: string, text: any, action: string, className?: string}} question */
export const confirmed = async ({ title, text, action, className = "btn-danger-solid" }) =>
  Boolean(await ask({ title, action, body: h("p", {}, text), className }));

/** A button that is disabled while its action is running.
 *  @param {string} symbol @param {string} label @param {() => any} act may return a promise
 *  @param {string} className */
export function button(symbol, label, act, className = "btn-outline") {
  const element = h(
    "button",
    {
      class: `btn ${className}`,
      type: "button",
      onclick: async () => {
        element.disabled = true;
        await act();
        element.disabled = false;
      },
    },
    symbol && [icon(symbol), " "],
    label,
  );
  return element;
}
