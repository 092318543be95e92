/* The page's state is in its address: tab, filters, page, open image. Empty values are left out. */

/** The state in the address. */
export const read = () => Object.fromEntries(new URLSearchParams(window.location.search));

/** Go to a state; with `replace`, "back" does not return to the present one. */
export function go(state, { replace = false } = {}) {
  const filled = Object.entries(state).filter(
    ([, value]) => value !== "" && value !== null && value !== undefined && value !== false,
  );
  const address = filled.length ? `?${new URLSearchParams(filled)}` : window.location.pathname;
  window.history[replace ? "replaceState" : "pushState"](null, "", address);
  document.dispatchEvent(new CustomEvent("address", { detail: read() }));
}

/** The present state with changes. */
export const change = (changes, options) => go({ ...read(), ...changes }, options);

/** Call `changed(state)` now and after each change. */
export function follow(changed) {
  document.addEventListener("address", (/** @type {CustomEvent} */ event) => changed(event.detail));
  window.addEventListener("popstate", () => changed(read()));
  changed(read());
}

/** Bind the named controls of a form to the address; a change resets the page to the first one. Returns
 *  `show(state)`. */
export function bind(form) {
  const controls = [...form.querySelectorAll("[name]")];
  const value = (control) =>
    control.type === "checkbox" ? (control.checked ? control.value : "") : control.value.trim();
  const apply = () =>
    change(
      { page: "", ...Object.fromEntries(controls.map((control) => [control.name, value(control)])) },
      { replace: true },
    );
  let timer;
  for (const control of controls) {
    const typed = ["search", "number"].includes(control.type);
    control.addEventListener(typed ? "input" : "change", () => {
      clearTimeout(timer);
      timer = setTimeout(apply, typed ? 300 : 0);
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    apply();
  });
  return (state) => {
    for (const control of controls) {
      if (value(control) === (state[control.name] ?? "")) continue; // does not interrupt typing
      if (control.type === "checkbox") control.checked = state[control.name] === control.value;
      else control.value = state[control.name] ?? "";
    }
  };
}
