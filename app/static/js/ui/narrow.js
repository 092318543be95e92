/* A select of which the server lists the newest hundred alone: a search beside it finds the rest. */
import { h, setChildren } from "../lib/dom.js";

const WAIT_MS = 250;
export const MOST = 100;

/** `search` stands in a label that is followed by what is said when nothing has such a name. `ask(text)` resolves to
 *  {total, options: [[value, text]]}; `changed()` follows a choice that the search made. */
export class Narrowed {
  constructor(select, search, ask, changed) {
    this.select = select;
    this.search = search;
    this.ask = ask;
    this.changed = changed;
    this.turn = 0;
    search.addEventListener("input", (event) => {
      event.stopPropagation(); // it is no value of the form
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.find(search.value.trim()), WAIT_MS);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }

  /** Show the search where the list is not whole. */
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
    const answer = await this.ask(text).catch(() => null); // what was listed stays
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
