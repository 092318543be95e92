/* The login: name and password, a provider, a token, or a link whose secret is after the # of its address, which no
   server, log or Referer receives. */
import { post } from "../lib/api.js";
import { $, $$, failure, h, setChildren } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const FORMS = ["password", "token", "invitation", "link"];
const HASH_KEY = "way-in"; // stores the hash while the page is reloaded in another language
const hash = window.location.hash || sessionStorage.getItem(HASH_KEY) || "";
const [, way, secret] = hash.match(/^#(link|invitation)=(ytp_[\w-]+)$/) || [];
sessionStorage.removeItem(HASH_KEY);

/** @param {string} name */
function show(name) {
  for (const form of FORMS) $(`[data-${form}]`).hidden = form !== name;
  $(`[data-${name}] input`)?.focus();
}

/** Why a login was refused; the title of each 401, that a login is needed, is redundant on this page.
 *  @param {any} error */
const refusal = (error) => failure(error, undefined, error.status === 401 ? "" : undefined);

/** @param {string} form @param {object} body */
async function enter(form, body) {
  const message = $(`[data-${form}] [data-failure]`);
  setChildren(message);
  for (const button of $$(`[data-${form}] button`)) button.disabled = true;
  try {
    await post("/api/login", body);
    window.location.replace($("main").dataset.next);
  } catch (error) {
    setChildren(message, refusal(error));
    for (const button of $$(`[data-${form}] button`)) button.disabled = false;
  }
}

/** The form of a new account, if the link can still be used; otherwise the reason. */
async function openInvitation() {
  const message = $("[data-link] [data-failure]");
  show("link");
  setChildren(message, h("p", { class: "quiet", role: "status" }, t("Checking the invitation…")));
  try {
    await post("/api/invitations/check", { invitation: secret });
  } catch (error) {
    if (/** @type {any} */ (error).status === 401) {
      setChildren(message, refusal(error));
      return;
    } // any other error is shown when the form is sent
  }
  show("invitation");
}

/** The provider's page; it redirects the browser to /login/oidc. */
async function byProvider() {
  const message = $("[data-password] [data-failure]");
  setChildren(message);
  $("[data-provider]").disabled = true;
  try {
    const { url } = await post("/api/login/oidc", { next: $("main").dataset.next });
    window.location.assign(url);
  } catch (error) {
    setChildren(message, refusal(error));
  }
  $("[data-provider]").disabled = false;
}

for (const form of FORMS.slice(0, 3))
  $(`[data-${form}]`).addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.target)));
    enter(form, form === "invitation" ? { invitation: secret, ...values } : values);
  });
for (const button of $$("[data-show]")) button.addEventListener("click", () => show(button.dataset.show));

if (way === "invitation")
  $("[data-language]").addEventListener("submit", () => sessionStorage.setItem(HASH_KEY, `#${way}=${secret}`));
$("[data-provider]")?.addEventListener("click", () => byProvider());
window.addEventListener("hashchange", () => window.location.reload()); // a link was opened while this page was open

// Without the link's secret; and without the provider's parameters, which work only once.
const here = window.location.pathname + window.location.search;
const initialForm =
  window.location.pathname === "/login" ? here : `/login?next=${encodeURIComponent($("main").dataset.next)}`;
if (way || initialForm !== here) window.history.replaceState(null, "", initialForm);
if (way === "invitation") openInvitation();
if (way === "link") {
  show("link");
  enter("link", { link: secret });
}
