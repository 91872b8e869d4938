/** Settings: who you are and what the server keeps, users and keys, and who did what. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { to } from "../lib/route.js";
import { full, now } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { More } from "../parts/more.js";
import { Code, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const PARTS = /** @type {const} */ ([["", "Server"], ["access", "Users and keys"], ["audit", "Audit"]]);
const ROLES = ["viewer", "editor", "operator", "admin"];
const SCOPES = ["read", "worker", "tracking"];

/** @param {{part: string | undefined}} props */
export function Settings({ part = "" }) {
  return html`<h1>Settings</h1>
    <nav class="subnav" aria-label="Parts of the settings">${PARTS.map(([name, words]) => html`<a key=${name} href=${name ? to("settings", name) : to("settings")} aria-current=${part === name ? "page" : undefined}>${words}</a>`)}</nav>
    ${part === "access" ? html`<${Access} />` : part === "audit" ? html`<${Audit} />` : html`<${Server} />`}`;
}

/** @param {{facts: any[][]}} props */
const Facts = ({ facts }) => html`<dl class="facts-list">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

function Server() {
  const { data, error, again } = useView("api/ui/settings", () => false);
  const { attempt, error: refused } = useAttempt();
  if (!data) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  const { server, storage } = data;
  const leave = () => attempt(async () => {
    await ask("api/session", { method: "DELETE" });
    location.reload();
  });
  return html`${error && html`<${Failure} error=${error} again=${again} />`}
    <h2>You</h2>
    <${Facts} facts=${[["Known as", html`<code>${server.actor}</code>`], ["Role", server.role], ...(server.scopes.length ? [["Scopes", server.scopes.join(", ")]] : [])]} />
    <p><button onClick=${leave}>Sign out</button></p>${refused && html`<${Failure} error=${refused} />`}
    <h2>Server</h2>
    <${Facts} facts=${[
      ["Health", data.trouble ? html`<span class="state" data-kind="failed"><i aria-hidden="true">✕</i>no database</span> ${data.trouble}` : html`<span class="state" data-kind="completed"><i aria-hidden="true">✓</i>ok</span>`],
      ["Version", server.version], ["Up since", html`${full(server.started_at)} <span class="quiet"><${When} at=${server.started_at} /></span>`],
      ["Process", server.pid], ["Home", html`<code>${server.home}</code>`],
    ]} />
    <h2>Storage</h2>
    <${Facts} facts=${[
      ["Database", html`${storage.kind} <code>${storage.place}</code>`], ["Size", bytes(storage.size_bytes)], ["Schema", storage.schema], ["Stored values", html`<code>${storage.values_place}</code>`],
    ]} />
    <h2>What is kept how long</h2>
    <div class="scroll"><table class="rows" aria-label="Retention"><thead><tr><th>Setting</th><th class="number">Value</th><th>From</th><th>What it says</th></tr></thead>
      <tbody>${data.retention.map((/** @type {any} */ one) => html`<tr key=${one.name}><td><code>${one.name}</code></td><td class="number">${one.value.toLocaleString("en")}</td><td>${one.origin}</td><td class="quiet" title=${one.doc}>${one.doc.replaceAll("`", "")}</td></tr>`)}</tbody></table></div>`;
}

function bytes(/** @type {number} */ n) {
  const at = Math.min(4, Math.floor(Math.log(Math.max(n, 1)) / Math.log(1000)));
  return `${(n / 1000 ** at).toLocaleString("en", { maximumFractionDigits: 1 })} ${["bytes", "kB", "MB", "GB", "TB"][at]}`;
}

function Access() {
  const [round, setRound] = useState(0); // what was changed is looked for anew on all pages
  const { data, error, again } = useView("api/ui/access", (event) => event.kind === "user-set" || event.kind === "key-set", 500);
  const renew = () => (setRound(round + 1), again());
  if (!data) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  return html`${error && html`<${Failure} error=${error} again=${again} />`}
    <${Users} key=${`users${round}`} first=${data.users} again=${again} renew=${renew} />
    <${Keys} key=${`keys${round}`} first=${data.keys} users=${data.users.items} again=${again} renew=${renew} />
    <h2>What roles may do</h2>
    <${Facts} facts=${ROLES.map((role, at) => [role, `${at ? `what ${ROLES[at - 1]}s may, and ` : ""}${(data.roles[role] ?? []).join(", ").replaceAll("-", " ")}`])} />`;
}

/** @param {{first: any, again: () => void, renew: () => void}} props */
function Users({ first, again, renew }) {
  const list = useMore("api/users", first, "name");
  const changed = () => (list.items.length > first.items.length ? renew() : again());
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const { attempt, error, busy } = useAttempt();
  const put = async (/** @type {any} */ user, /** @type {any} */ change) => {
    await ask(`api/users/${encodeURIComponent(user.name)}`, { method: "PUT", body: { role: user.role, disabled: user.disabled, ...change } });
    changed();
  };
  return html`<h2>Users</h2>
    <p><button class="main" onClick=${() => setAsked("new")}>New user</button></p>
    ${error && html`<${Failure} error=${error} />`}
    ${list.items.length ? html`<div class="scroll"><table class="rows" aria-label="Users"><thead><tr><th>User</th><th>Role</th><th>State</th><th>Made</th><th class="number">Actions</th></tr></thead>
      <tbody>${list.items.map((user) => html`<tr key=${user.name}><td title=${user.name}>${user.name}</td>
        <td><select aria-label=${`Role of ${user.name}`} value=${user.role} onChange=${(/** @type {any} */ event) => attempt(() => put(user, { role: event.currentTarget.value }))}>${ROLES.map((role) => html`<option key=${role}>${role}</option>`)}</select></td>
        <td>${user.disabled ? html`<b>disabled</b>` : "may come in"}</td><td><${When} at=${user.created_at} /></td>
        <td class="actions">${user.disabled
          ? html`<button disabled=${busy} aria-label=${`Let ${user.name} in again`} onClick=${() => attempt(() => put(user, { disabled: false }))}>Let in again</button>`
          : html`<button aria-label=${`Disable ${user.name}`} onClick=${() => setAsked(user)}>Disable</button>`}</td></tr>`)}</tbody></table></div><${More} list=${list} />`
      : html`<p class="quiet">There is nobody but you, the owner of this home. Each person and each machine that is to come in gets a user.</p>`}
    ${asked === "new" && html`<${NewUser} close=${() => setAsked(null)} again=${again} />`}
    ${asked?.name && html`<${Confirm} title=${`Disable ${asked.name}?`} act="Disable" close=${() => setAsked(null)} run=${() => put(asked, { disabled: true })}><p>None of its keys lets anybody in, from now on.</p><//>`}`;
}

/** @param {{close: () => void, again: () => void}} props */
function NewUser({ close, again }) {
  const { attempt, error, busy } = useAttempt();
  const send = (/** @type {any} */ event) => {
    event.preventDefault();
    const { elements } = event.currentTarget;
    return attempt(async () => {
      await ask("api/users", { method: "POST", body: { name: elements.namedItem("name").value.trim(), role: elements.namedItem("role").value } });
      again();
      close();
    });
  };
  return html`<${Dialog} label="New user" close=${close}><form onSubmit=${send}><div class="fields">
      <div class="field"><label for="name">Name</label><input id="name" required autocomplete="off" maxlength="200" /></div>
      <div class="field"><label for="role">Role</label><select id="role">${ROLES.map((role) => html`<option key=${role}>${role}</option>`)}</select></div>
    </div>${error && html`<${Failure} error=${error} />`}
    <p class="ends"><button type="button" onClick=${close}>Cancel</button><button class="main" disabled=${busy}>Make</button></p></form><//>`;
}

/** @param {{first: any, users: any[], again: () => void, renew: () => void}} props */
function Keys({ first, users, again, renew }) {
  const list = useMore("api/keys", first);
  const changed = () => (list.items.length > first.items.length ? renew() : again());
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  return html`<h2>API keys</h2>
    <p><button disabled=${!users.length} onClick=${() => setAsked("new")}>New key</button> <span class="quiet">${users.length ? "A key is shown once, when it is made." : "A key belongs to a user: make one first."}</span></p>
    ${list.items.length > 0 && html`<div class="scroll"><table class="rows" aria-label="API keys"><thead><tr><th>Key</th><th>User</th><th>Name</th><th>Role</th><th>Made</th><th>Last used</th><th>Holds</th><th class="number">Actions</th></tr></thead>
      <tbody>${list.items.map((one) => html`<tr key=${one.id}><td><code>${one.id}</code></td><td>${one.user}</td><td dir="auto" title=${one.name}>${one.name ?? ""}</td><td>${one.role}${one.scopes.length > 0 && html` <span class="quiet">${one.scopes.join(", ")}</span>`}</td>
        <td><${When} at=${one.created_at} /></td><td>${one.last_used_at ? html`<${When} at=${one.last_used_at} />` : html`<span class="quiet">never</span>`}</td>
        <td>${one.revoked ? html`<b>revoked</b>` : !one.expires_at ? "until revoked" : Date.parse(one.expires_at) <= now.value ? html`<b>expired</b>` : html`<${When} at=${one.expires_at} />`}</td>
        <td class="actions">${!one.revoked && html`<button aria-label=${`Revoke ${one.id}`} onClick=${() => setAsked(one)}>Revoke</button>`}</td></tr>`)}</tbody></table></div><${More} list=${list} />`}
    ${asked === "new" && html`<${NewKey} users=${users} close=${() => setAsked(null)} again=${again} />`}
    ${asked?.id && html`<${Confirm} title=${`Revoke ${asked.id} of ${asked.user}?`} act="Revoke" close=${() => setAsked(null)}
      run=${async () => { await ask(`api/keys/${asked.id}`, { method: "DELETE" }); changed(); }}><p>What uses it is refused from now on. It cannot be given back.</p><//>`}`;
}

/** @param {{users: any[], close: () => void, again: () => void}} props */
function NewKey({ users, close, again }) {
  const [made, setMade] = useState("");
  const { attempt, error, busy } = useAttempt();
  const send = (/** @type {any} */ event) => {
    event.preventDefault();
    const { elements } = event.currentTarget;
    const value = (/** @type {string} */ name) => elements.namedItem(name).value.trim();
    return attempt(async () => {
      const until = value("until") ? new Date(`${value("until")}T23:59:59`).toISOString() : null;
      const body = { user: value("user"), name: value("name"), role: value("role") || null, scopes: SCOPES.filter((scope) => elements.namedItem(`scope-${scope}`).checked), expires_at: until };
      setMade((await ask("api/keys", { method: "POST", body })).text);
      again();
    });
  };
  if (made) {
    return html`<${Dialog} key="made" label="The new key" close=${close}><p>This is the only time that it is shown. It goes into <code>OSTINATO_API_KEY</code>, or lets a browser sign in.</p>
      <${Code} text=${made} /><p class="ends"><button class="main" onClick=${close}>Done</button></p><//>`;
  }
  return html`<${Dialog} key="form" label="New key" close=${close}><form onSubmit=${send}><div class="fields">
      <div class="field"><label for="user">User</label><select id="user">${users.filter((one) => !one.disabled).map((one) => html`<option key=${one.name}>${one.name}</option>`)}</select></div>
      <div class="field"><label for="name">Name <span class="quiet">what it is for</span></label><input id="name" dir="auto" autocomplete="off" maxlength="200" /></div>
      <div class="field"><label for="role">Role</label><select id="role"><option value="">that of the user</option>${ROLES.map((role) => html`<option key=${role}>${role}</option>`)}</select></div>
      <fieldset><legend>Only for <span class="quiet">none ticked: all that the role may</span></legend>${SCOPES.map((scope) => html`<label key=${scope} class="check"><input id=${`scope-${scope}`} type="checkbox" /> <span>${scope}</span></label>`)}</fieldset>
      <div class="field"><label for="until">Last day <span class="quiet">empty: until it is revoked</span></label><input id="until" type="date" /></div>
    </div>${error && html`<${Failure} error=${error} />`}
    <p class="ends"><button type="button" onClick=${close}>Cancel</button><button class="main" disabled=${busy}>Make</button></p></form><//>`;
}

function Audit() {
  const { data, error, again } = useView("api/audit?limit=50", () => false);
  if (!data) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  return html`<${Acts} first=${data} />`;
}

/** @param {{first: any}} props */
function Acts({ first }) {
  const list = useMore("api/audit?limit=50", first);
  return html`<p class="quiet">Who changed who may do what, or how the system runs.</p>
    ${list.items.length ? html`<div class="scroll"><table class="rows tight" aria-label="Audit"><thead><tr><th>When</th><th>Who</th><th>Did</th><th>To</th><th>Detail</th></tr></thead>
      <tbody>${list.items.map((one) => html`<tr key=${one.id}><td><time datetime=${one.at}>${full(one.at)}</time></td><td>${one.actor}</td><td>${one.action}</td><td dir="auto" title=${one.subject}>${one.subject}</td><td class="quiet" dir="auto" title=${one.detail}>${one.detail}</td></tr>`)}</tbody></table></div>` : html`<p class="quiet">Nothing yet.</p>`}
    <${More} list=${list} words="Show older" />`;
}
