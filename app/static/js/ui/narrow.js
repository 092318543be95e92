/* A select for which the server lists only the newest hundred: a search beside it finds the others. */
import { h, setChildren } from "../lib/dom.js";

const WAIT_MS = 250;
export const MOST = 100;

/** `search` is in a label that is followed by the text shown when no name matches. `ask(text)` resolves to {total,
 *  options: [[value, text]]}; `changed()` is called after a choice made by the search. */
export class Narrowed {
  constructor(select, search, ask, changed) {
    this.select = select;
    this.search = search;
    this.ask = ask;
    this.changed = changed;
    this.turn = 0;
    search.addEventListener("input", (event) => {
      event.stopPropagation(); // not a value of the form
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.find(search.value.trim()), WAIT_MS);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }

  /** Show the search if the list is incomplete. */
  fill({ total, options }, chosen) {
    setChildren(
      this.select,
      options.map(([value, text]) => h("option", { value, selected: String(value) === String(chosen) }, text)),
    );
    this.search.closest("label").hidden = total <= options.length && !this.search.value;
  }

  async find(text) {
    const turn = ++this.turn;
    const selected = this.select.selectedOptions[0];
    const answer = await this.ask(text).catch(() => null); // the present list stays
    if (turn !== this.turn || !answer) return;
    const listed = answer.options.some(([value]) => String(value) === selected?.value);
    const first = text && answer.options.length ? answer.options[0][0] : null;
    const options =
      listed || !selected?.value || first !== null
        ? answer.options
        : [[selected.value, selected.textContent], ...answer.options];
    this.search.closest("label").nextElementSibling.hidden = !text || answer.options.length > 0;
    this.fill({ ...answer, options }, listed || first === null ? selected?.value : first);
    if (!listed && first !== null) this.changed();
  }
}
