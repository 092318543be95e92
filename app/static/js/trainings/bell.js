/* Notifies the reader when a training ends, if enabled: by a browser notification and a mark in the page's title.
   Permission is requested only on the click. */
import { $, icon, setChildren, toast } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { readPref, savePref } from "../lib/prefs.js";
import { learnedNothing } from "../ui/status.js";

const PREF = "bell";
const TEXTS = {
  completed: () => t("Run completed"),
  failed: () => t("Run failed"),
  cancelled: () => t("Run stopped"),
  paused: () => t("Run paused"),
};
const MARKS = { completed: "✓", failed: "✗", cancelled: "■", paused: "‖" };

export class Bell {
  constructor(button) {
    this.button = button;
    this.supported = "Notification" in window;
    button.addEventListener("click", () => this.toggle());
    this.show();
  }

  get enabled() {
    return this.supported && readPref(PREF, false) && Notification.permission === "granted";
  }

  async toggle() {
    if (!this.supported) {
      toast(t("This browser doesn't support notifications."), "failed");
      return;
    }
    if (this.enabled) savePref(PREF, false);
    else {
      const answer = Notification.permission === "granted" ? "granted" : await Notification.requestPermission();
      savePref(PREF, answer === "granted");
      if (answer !== "granted")
        toast(
          t("The browser blocks notifications from this page. Allow them in the browser's site settings."),
          "failed",
        );
      else toast(t("You will be notified when a run whose page is open ends."), "success");
    }
    this.show();
  }

  show() {
    const { enabled } = this;
    this.button.hidden = !this.supported;
    this.button.setAttribute("aria-pressed", enabled);
    this.button.title = enabled ? t("Notification when finished: on") : t("Notify when finished");
    this.button.setAttribute("aria-label", this.button.title);
    setChildren(this.button, icon(enabled ? "bell-fill" : "bell"));
  }

  /** The training has just ended, or was paused, while the page was open. */
  ring(training) {
    const text = learnedNothing(training)
      ? () => t("Training completed, but the model learned nothing")
      : TEXTS[training.status];
    if (!text) return;
    if (document.hidden) this.mark(training);
    if (!this.enabled || document.hasFocus()) return;
    const note = new Notification(text(), {
      body: training.name,
      tag: `training-${training.id}`,
      icon: $("link[rel=icon]").href,
    });
    note.onclick = () => {
      window.focus();
      note.close();
    };
  }

  /** In the title until the reader returns to the page. */
  mark(training) {
    this.sign = learnedNothing(training) ? "!" : MARKS[training.status];
    document.title = `${this.sign} ${document.title}`;
    const markRead = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", markRead);
      document.title = document.title.replace(`${this.sign} `, "");
    };
    document.addEventListener("visibilitychange", markRead);
  }
}
