/* The queue: the pending trainings, in order, with what they are waiting for. Rows are moved by the pointer (mouse,
   finger) and by the keyboard. */
import { patch, put as send } from "../lib/api.js";
import { $, ask, h, icon, longName, setChildren, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { modelName, waitingText } from "../ui/status.js";
import { active } from "./current.js";

const FIRST = 8; // rows until the reader asks for more
const MOST = 100;

const name = (training) =>
  h("a", { class: "name-link", href: `/trainings/${training.id}`, title: training.name }, longName(training.name));

const priorityMark = (training) =>
  training.priority
    ? h(
        "span",
        { class: "queue-priority", title: t("Priority") },
        training.priority > 0 ? `+${number(training.priority)}` : number(training.priority),
      )
    : null;

/** One pending training without handles, for display only. */
export function queueRow(training, index) {
  return h(
    "li",
    { class: "queue-item is-plain", "data-training": training.id },
    h("span", { class: "queue-place" }, number(index + 1)),
    h("div", { class: "queue-main" }, name(training), h("span", { class: "queue-why" }, waitingText(training))),
    priorityMark(training),
  );
}

export class QueueView {
  /** `panel` is hidden while nothing is pending. */
  constructor(panel) {
    this.panel = panel;
    this.list = $("[data-queue]", panel);
    this.announcement = $("[data-queue-said]", panel);
    this.more = $("[data-queue-more]", panel);
    this.all = false;
    this.moving = false;
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      this.show();
    });
    active.on("change", () => {
      if (active.loaded) this.show();
    });
  }

  show() {
    if (this.moving) return; // drawn when the row is dropped
    const total = active.pending.length;
    const waiting = active.pending.slice(0, this.all ? MOST : FIRST);
    this.panel.hidden = !waiting.length;
    $("[data-queue-hint]", this.panel).hidden = waiting.length < 2;
    $("[data-queue-count]", this.panel).textContent = number(total);
    this.more.parentElement.hidden = total <= FIRST;
    this.more.setAttribute("aria-expanded", this.all);
    this.more.textContent = this.all
      ? t("Show less")
      : total > MOST
        ? t("Show the first {n}", { n: number(MOST) })
        : t("Show all");
    const focused = /** @type {HTMLElement} */ (document.activeElement?.closest("[data-move]"));
    const again = focused &&
      this.list.contains(focused) && [focused.closest("li").dataset.training, focused.dataset.move];
    setChildren(
      this.list,
      waiting.map((training, index) => this.row(training, index, waiting.length)),
    );
    if (again) this.focus(...again);
  }

  row(training, index, count) {
    const move = (step, symbol, label) =>
      h(
        "button",
        {
          class: "icon-button",
          type: "button",
          "data-move": step,
          "data-needs": "admin",
          disabled: index + step < 0 || index + step >= count,
          title: label,
          "aria-label": `${label}: ${training.name}`,
          onclick: () => this.step(training.id, step),
        },
        icon(symbol),
      );
    const grip = h(
      "button",
      {
        class: "queue-grip",
        type: "button",
        "data-move": "grip",
        "data-needs": "admin",
        title: t("Drag or use the arrow keys"),
        "aria-label": t("Move {name}: arrow keys", { name: training.name }),
        onpointerdown: (event) => this.drag(event),
        onkeydown: (event) => this.key(event, training.id),
      },
      icon("grip-vertical"),
    );
    return h(
      "li",
      { class: "queue-item", "data-training": training.id },
      count > 1 && grip,
      h("span", { class: "queue-place" }, number(index + 1)),
      h(
        "div",
        { class: "queue-main" },
        name(training),
        h(
          "span",
          { class: "queue-why" },
          `${training.dataset_name} · ${modelName(training)} · ${waitingText(training)}`,
        ),
      ),
      priorityMark(training),
      h(
        "div",
        { class: "queue-moves" },
        h(
          "button",
          {
            class: "icon-button",
            type: "button",
            "data-move": "priority",
            title: t("Priority"),
            "aria-label": `${t("Priority")}: ${training.name}`,
            onclick: () => this.prioritize(training),
          },
          icon("flag"),
        ),
        count > 1 && [move(-1, "chevron-up", t("Move up")), move(1, "chevron-down", t("Move down"))],
      ),
    );
  }

  ids() {
    return [...this.list.children].map((row) => Number(row.dataset.training));
  }

  focus(id, what) {
    const row = $(`[data-training="${id}"]`, this.list);
    const button = row && $(`[data-move="${what}"]`, row);
    (button?.disabled ? row.querySelector("[data-move]:not(:disabled)") : button)?.focus();
  }

  key(event, id) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.step(id, step);
  }

  step(id, step) {
    const order = this.ids();
    const from = order.indexOf(id);
    if (from + step < 0 || from + step >= order.length) return;
    order.splice(from + step, 0, ...order.splice(from, 1));
    this.save(order, id);
  }

  /** Follow the pointer; rows are swapped once the pointer passes a row's middle. */
  drag(event) {
    if (event.button > 0) return;
    event.preventDefault();
    const row = event.target.closest("li");
    const grip = event.currentTarget;
    const before = this.ids();
    let origin = event.clientY;
    this.moving = true;
    row.classList.add("is-dragged");
    grip.setPointerCapture(event.pointerId);
    const follow = ({ clientY }) => {
      const down = clientY > origin;
      const other = down ? row.nextElementSibling : row.previousElementSibling;
      if (other && Math.abs(clientY - origin) > other.offsetHeight / 2) {
        origin += down ? other.offsetHeight : -other.offsetHeight;
        if (down) other.after(row);
        else other.before(row);
        grip.setPointerCapture(event.pointerId); // moving an element releases the pointer
      }
      row.style.transform = `translateY(${clientY - origin}px)`;
    };
    const drop = ({ type }) => {
      for (const [event_, handler] of handlers) grip.removeEventListener(event_, handler);
      row.classList.remove("is-dragged");
      row.style.transform = "";
      this.moving = false;
      const order = this.ids();
      if (type === "pointerup" && String(order) !== String(before)) this.save(order, Number(row.dataset.training));
      else this.show();
    };
    const handlers = [
      ["pointermove", follow],
      ["pointerup", drop],
      ["pointercancel", drop],
    ];
    for (const [event_, handler] of handlers) grip.addEventListener(event_, handler);
  }

  /** Send the new order; the server's response is the order. */
  async save(order, moved) {
    try {
      const { queue } = await send("/api/trainings/queue", { order });
      active.update(queue);
      const position = this.ids().indexOf(moved);
      this.announcement.textContent = t("New position: {place} of {count}.", {
        place: number(position + 1),
        count: number(this.ids().length),
      });
      if (position !== order.indexOf(moved)) toast(t("A higher priority always comes first."));
    } catch (error) {
      toast(error.detail || error.title || String(error), "failed");
      this.show();
    }
  }

  async prioritize(training) {
    const input = h("input", {
      class: "form-control tabular",
      id: "priority",
      type: "number",
      min: -100,
      max: 100,
      step: 1,
      required: true,
      value: training.priority || 0,
    });
    const body = [
      h("p", {}, t("Runs with a higher number start first. From -100 to 100; the default is 0.")),
      h("label", { class: "visually-hidden", for: "priority" }, t("Priority")),
      input,
    ];
    const read = () => (input.reportValidity() ? { priority: Number(input.value) } : false);
    const change = await ask({
      title: t("Priority of “{name}”", { name: training.name }),
      body,
      action: t("Save"),
      read,
    });
    if (!change) return;
    try {
      active.update([await patch(`/api/trainings/${training.id}`, change)]);
    } catch (error) {
      toast(error.detail || error.title || String(error), "failed");
    }
  }
}
