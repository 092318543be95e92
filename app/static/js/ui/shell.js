/* The frame of every page: connection indicator, running training, theme, keyboard. */
import { $, $$, setChildren, icon, h, toast } from "../lib/dom.js";
import { percent, remaining } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import "./keyboard.js";
import { live } from "../lib/socket.js";
import { fraction, stageText } from "./status.js";
import { active } from "../trainings/current.js";

const LIGHTS = {
  live: ["broadcast", () => t("live")],
  connecting: ["arrow-repeat", () => t("connecting")],
  reconnecting: ["arrow-repeat", () => t("reconnecting")],
  offline: ["wifi-off", () => t("offline")],
};

function showLight() {
  const [symbol, word] = LIGHTS[live.state];
  const light = $("[data-light]");
  light.dataset.light = live.state;
  setChildren(light, icon(symbol), h("span", { class: "light-word" }, word()));
}

function showRunning() {
  const chip = $("[data-running]");
  const [first, ...rest] = active.running;
  chip.hidden = !first;
  if (!first) return;
  const share = fraction(first);
  chip.href = `/trainings/${first.id}`;
  $(".running-ring").style.setProperty("--percent", Math.round(share * 100));
  $("[data-running-name]").textContent = first.name;
  const figures =
    !first.current_epoch && !first.progress?.epoch && stageText(first)
      ? stageText(first)
      : `${percent(share)} · ${remaining(first.eta)}`;
  $("[data-running-figures]").textContent = rest.length ? `${figures} · +${rest.length}` : figures;
}

function showTheme() {
  const theme = document.documentElement.dataset.theme;
  $(".theme-symbol").className = `bi bi-${{ light: "sun", dark: "moon-stars" }[theme] || "circle-half"} theme-symbol`;
  for (const button of $$("button[data-theme]")) {
    button.classList.toggle("active", button.dataset.theme === theme);
    button.setAttribute("aria-pressed", button.dataset.theme === theme);
  }
}

live.on("state", showLight);
live.on("returned", () => toast(t("Reconnected. Missed updates have been loaded."), "success"));
active.on("change", showRunning);
document.addEventListener("theme", showTheme);
for (const button of $$("button[data-theme]"))
  button.addEventListener("click", () => window.setTheme(button.dataset.theme));
showLight();
showTheme();
