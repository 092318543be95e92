/* The resources that a training would need: requested on demand, because a few real batches are measured on the
   device. */
import { post } from "../lib/api.js";
import { failure, h, icon, setChildren, write } from "../lib/dom.js";
import { bytes, duration, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { bar, deviceName, moveBar } from "../ui/status.js";

const ASK_EVERY_MS = 700;
const wait = (time) =>
  new Promise((resolve) => {
    setTimeout(resolve, time);
  });

/** `payload()` is the body of the request; `container` shows its result. */
export class Estimate {
  constructor(container, button, payload) {
    this.container = container;
    this.button = button;
    this.payload = payload;
    this.body = null;
    this.turn = 0;
    button.addEventListener("click", () => this.ask());
  }

  /** The values have changed: the shown result is for others. */
  outdated() {
    if (this.body === null || JSON.stringify(this.payload()) === this.body) return;
    this.body = null;
    this.turn += 1;
    this.button.disabled = false;
    setChildren(this.container, h("p", { class: "under" }, t("The values have changed. Estimate again.")));
  }

  async ask() {
    const turn = ++this.turn;
    const body = this.payload();
    this.body = JSON.stringify(body);
    this.button.disabled = true;
    const doing = h("p", { class: "under", "data-doing": true }, t("Measuring a few real batches on the device"));
    const moving = bar(0, "", t("Measuring"));
    setChildren(this.container, doing, moving);
    try {
      let answer = await post("/api/trainings/estimate", body);
      while (answer.status === "measuring" && turn === this.turn) {
        write(doing, answer.message);
        moveBar(moving, answer.fraction);
        await wait(ASK_EVERY_MS);
        if (turn === this.turn) answer = await post("/api/trainings/estimate", body);
      }
      if (turn === this.turn) this.show(answer);
      if (answer.status === "ready") this.container.dispatchEvent(new CustomEvent("estimated"));
    } catch (error) {
      if (turn === this.turn)
        setChildren(this.container, failure(error, null, error.detail ? t("No estimate available") : error.title));
    }
    if (turn === this.turn) this.button.disabled = false;
  }

  show(answer) {
    if (answer.status === "unavailable") {
      setChildren(this.container, h("p", { class: "under" }, icon("info-circle"), " ", answer.reason));
      return;
    }
    const {
      seconds,
      epoch_seconds: epoch,
      memory,
      memory_total: total,
      disk,
      disk_free: free,
      batches,
      basis,
      device,
      largest_batch: largest,
    } = answer;
    const rows = [
      seconds !== undefined && [t("Time"), t("about {time}", { time: duration(seconds) })],
      epoch !== undefined && [
        t("Time per epoch"),
        [duration(Math.max(1, epoch)), batches && tn("{n} batch", "{n} batches", batches)].filter(Boolean).join(" · "),
      ],
      memory !== undefined && [
        t("Memory"),
        total ? t("{used} of {total}", { used: bytes(memory), total: bytes(total) }) : bytes(memory),
      ],
      disk !== undefined && [
        t("Disk"),
        free ? t("{size}, {free} free", { size: bytes(disk), free: bytes(free) }) : bytes(disk),
      ],
      device && [t("Device"), deviceName({ device, devices: null })],
    ].filter(Boolean);
    setChildren(
      this.container,
      answer.fits === false &&
        problem(
          t("Out of memory"),
          answer.reason || t("Use a smaller batch size, image size or model."),
          largest &&
            h(
              "button",
              {
                class: "btn btn-outline btn-sm",
                type: "button",
                onclick: () => this.container.dispatchEvent(new CustomEvent("batch", { detail: largest })),
              },
              t("Use batch size {batch}", { batch: number(largest) }),
            ),
        ),
      answer.disk_enough === false &&
        problem(t("Not enough disk space"), t("Free some space or keep fewer checkpoints (save_period).")),
      rows.length > 0 &&
        h(
          "dl",
          { class: "pairs" },
          rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
        ),
      h(
        "p",
        { class: "under" },
        basis === "history" ? t("Based on a previous run with the same configuration.") : t("Measured on this device."),
      ),
    );
  }
}

const problem = (title, text, action) =>
  h(
    "div",
    { class: "notice", role: "alert" },
    icon("exclamation-octagon-fill"),
    h("div", { class: "notice-text" }, h("strong", {}, title), text),
    action,
  );
