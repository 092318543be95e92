/* The account: tokens for scripts; for admins, the users. */
import { get, patch, post, put as send, remove } from "../lib/api.js";
import { $, button, confirmed, failure, fillFrom, h, setChildren, toast } from "../lib/dom.js";
import { ago, dateTime } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { accountTable } from "../ui/account_table.js";

const DAY_MS = 86_400_000;
const ROLES = { viewer: () => t("Viewer"), trainer: () => t("Trainer"), admin: () => t("Admin") };

const refused = (error) => setChildren($("[data-failure]"), failure(error));

/** A secret that is shown only once, with a button to copy it. */
function secret(container, text, value) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      toast(t("Copied."), "success");
    } catch {
      toast(t("The browser does not allow copying. Select the text and copy it."), "failed");
    }
  };
  container.hidden = false;
  setChildren(
    container,
    h("p", {}, text),
    h("code", {}, value),
    button("clipboard", t("Copy"), copy, "btn-outline btn-sm"),
  );
}

/** Do it, show its failure on the page, and reload the list. */
async function change(act, reload) {
  setChildren($("[data-failure]"));
  try {
    await act();
  } catch (error) {
    refused(error);
  }
  await reload();
}

/** The identity of a user at a provider, and its removal. */
function identityRow(user, identity) {
  const host = identity.issuer.replace(/^https?:\/\//, "");
  const unlink = async () => {
    const question = {
      title: t("Remove the link of {name} with {provider}?", { name: user.name, provider: host }),
      text: t(
        "Sessions of this user end at once; tokens stay. If the provider's people get accounts here by themselves, the next login makes another account: block this one instead.",
      ),
      action: t("Remove the link"),
    };
    const address = `/api/users/${user.id}/identities/${identity.id}`;
    if (await confirmed(question)) await change(() => remove(address), loadUsers);
  };
  return h(
    "div",
    { class: "account-identity quiet", title: identity.subject },
    identity.current
      ? t("Login with {provider}", { provider: host })
      : t("{provider}: an earlier provider, no longer a way in", { provider: host }),
    button("trash", t("Remove the link"), unlink, "btn-outline btn-sm"),
  );
}

function userRow(user) {
  const role = h(
    "select",
    {
      class: "form-select form-select-sm",
      "aria-label": t("Role of {name}", { name: user.name }),
      onchange: () => change(() => patch(`/api/users/${user.id}`, { role: role.value }), loadUsers),
    },
    Object.entries(ROLES).map(([value, label]) => h("option", { value, selected: value === user.role }, label())),
  );
  const active = () => change(() => patch(`/api/users/${user.id}`, { active: !user.active }), loadUsers);
  const erase = async () => {
    const question = {
      title: t("Delete {name}?", { name: user.name }),
      text: t("Sessions and tokens of this user end at once. Datasets and runs stay."),
      action: t("Delete user"),
    };
    if (await confirmed(question)) await change(() => remove(`/api/users/${user.id}`), loadUsers);
  };
  return h(
    "tr",
    {},
    h(
      "td",
      {},
      user.name,
      user.active ? null : h("span", { class: "quiet" }, ` · ${t("blocked")}`),
      user.identities.map((identity) => identityRow(user, identity)),
    ),
    h("td", {}, role),
    h("td", { class: "quiet" }, user.seen_at ? ago(user.seen_at) : "–"),
    h(
      "td",
      {},
      h(
        "div",
        { class: "account-actions" },
        button(user.active ? "lock" : "unlock", user.active ? t("Block") : t("Unblock"), active, "btn-outline btn-sm"),
        button("trash", t("Delete"), erase, "btn-outline btn-sm"),
      ),
    ),
  );
}

const loadUsers = () =>
  fillFrom(
    $("[data-users]"),
    () => get("/api/users"),
    ({ users }, container) => {
      $("[data-user-count]").textContent = users.length || "";
      setChildren(
        container,
        users.length
          ? accountTable([t("Name"), t("Role"), t("Last login"), ""], users.map(userRow))
          : h("p", { class: "panel-empty" }, t("No users yet. Invite somebody by a link.")),
      );
    },
  );

function invitationRow(invitation) {
  const revoke = () => change(() => remove(`/api/invitations/${invitation.invitation_id}`), loadInvitations);
  return h(
    "tr",
    {},
    h("td", {}, ROLES[invitation.role]()),
    h("td", { class: "quiet" }, ago(invitation.created_at)),
    h("td", { class: "quiet" }, dateTime(invitation.expires_at)),
    h("td", {}, h("div", { class: "account-actions" }, button("trash", t("Revoke"), revoke, "btn-outline btn-sm"))),
  );
}

/** The links that can still be used; hidden if there are none. */
const loadInvitations = () =>
  fillFrom(
    $("[data-invitations]"),
    () => get("/api/invitations"),
    ({ invitations }, container) =>
      setChildren(
        container,
        invitations.length > 0 &&
          accountTable([t("Open invitations"), t("Created"), t("Expires"), ""], invitations.map(invitationRow)),
      ),
  );

function tokenRow(token) {
  const erase = async () => {
    const question = {
      title: t("Delete the token {name}?", { name: token.name }),
      text: t("Scripts that use it are refused from then on."),
      action: t("Delete token"),
    };
    if (await confirmed(question)) await change(() => remove(`/api/tokens/${token.id}`), loadTokens);
  };
  return h(
    "tr",
    {},
    h("td", {}, token.name, h("div", { class: "quiet" }, h("code", {}, `${token.start}…`))),
    h("td", {}, ROLES[token.role]()),
    h("td", { class: "quiet" }, token.expires_at ? dateTime(token.expires_at) : t("never")),
    h("td", {}, h("div", { class: "account-actions" }, button("trash", t("Delete"), erase, "btn-outline btn-sm"))),
  );
}

const loadTokens = () =>
  fillFrom(
    $("[data-tokens]"),
    () => get("/api/tokens"),
    ({ tokens }, container) => {
      $("[data-token-count]").textContent = tokens.length || "";
      setChildren(
        container,
        tokens.length
          ? accountTable([t("Name"), t("Role"), t("Expires"), ""], tokens.map(tokenRow))
          : h("p", { class: "panel-empty" }, t("No tokens yet. A script sends one as “Authorization: Bearer …”.")),
      );
    },
  );

const values = (form) => Object.fromEntries(new FormData(form));

$("[data-new-token]").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, role, days } = values(event.target);
  const expires = Number(days) ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : null;
  change(async () => {
    const response = await post("/api/tokens", { name, role, expires_at: expires });
    secret($("[data-token-secret]"), t("Copy the token now. It is not shown again."), response.token);
    event.target.reset();
  }, loadTokens);
});
$("[data-password]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { current, password } = values(event.target);
  setChildren($("[data-failure]"));
  try {
    const { message } = await send("/api/me/password", current ? { current, password } : { password });
    event.target.reset();
    toast(message, "success");
  } catch (error) {
    refused(error);
  }
});
$("[data-link]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { current } = values(event.target);
  setChildren($("[data-failure]"));
  try {
    const { url } = await post("/api/me/identity", current ? { current } : {});
    window.location.assign(url);
  } catch (error) {
    refused(error);
  }
});
$("[data-unlink]")?.addEventListener("click", async () => {
  const question = {
    title: t("Remove the link?"),
    text: t("You then log in with name and password. Your other sessions end."),
    action: t("Remove the link"),
  };
  if (!(await confirmed(question))) return;
  setChildren($("[data-failure]"));
  try {
    await remove("/api/me/identity");
    window.location.reload();
  } catch (error) {
    refused(error);
  }
});
$("[data-leave]")?.addEventListener("click", async () => {
  await post("/api/logout").catch(refused);
  window.location.assign("/login");
});
loadTokens();

if ($("main").dataset.role === "admin") {
  $("[data-invite]").addEventListener("submit", (event) => {
    event.preventDefault();
    change(async () => {
      const response = await post("/api/invitations", values(event.target));
      const text = t("Send this link to one person. It works once, until {date}.", {
        date: dateTime(response.expires_at),
      });
      secret($("[data-invitation]"), text, window.location.origin + response.path);
    }, loadInvitations);
  });
  loadUsers();
  loadInvitations();
}
