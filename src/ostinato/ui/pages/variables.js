/** Variables with their values, and secrets, which are written and never shown. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { useView } from "../lib/view.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { Locked } from "../parts/locked.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["variable-set", "secret-set"]);
const VARIABLE = 'from ostinato import Variable\n\nVariable.set("champion", {"model": "boosted"})\nVariable.get("champion")';
const SECRET = 'from ostinato import Secret\n\nSecret.get("bucket-key")';

/** @typedef {{kind: "variable" | "secret" | "no-variable" | "no-secret", one?: any}} Asked what a dialog is open for */

export function Variables() {
  const { data, error, again } = useView("api/ui/variables", (event) => CONCERNS.has(event.kind), 500);
  return html`<h1>Variables</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && html`<${Lists} data=${data} again=${again} />`}`;
}

/** @param {{data: any, again: () => void}} props */
function Lists({ data, again }) {
  const [asked, setAsked] = useState(/** @type {Asked | null} */ (null));
  const [round, setRound] = useState(0); // what was changed is looked for anew on all pages
  const close = () => setAsked(null);
  const done = () => (close(), setRound(round + 1), again());
  const off = !data.may.includes("set-variable");
  const offSecrets = !data.may.includes("set-secret");
  return html`<${Locked} may=${data.may} needs="set-variable" words="change it" />
    <p><button class="main" disabled=${off} onClick=${() => setAsked({ kind: "variable" })}>New variable</button></p>
    ${data.items.length ? html`<${Plain} key=${round} first=${data} off=${off} open=${setAsked} />`
      : html`<${Empty} title="No variable yet" code=${VARIABLE}><p>A variable is a named value that flows read and people change.</p><//>`}
    <h2>Secrets</h2>
    <p><button disabled=${offSecrets} onClick=${() => setAsked({ kind: "secret" })}>New secret</button> <span class="quiet">A secret is written here and never shown again; flows open it.</span></p>
    ${data.secrets.items.length ? html`<${Hidden} key=${round} first=${data.secrets} off=${offSecrets} open=${setAsked} />` : html`<${Empty} title="No secret yet" code=${SECRET} />`}
    ${asked?.kind === "variable" && html`<${VariableForm} one=${asked.one} close=${close} done=${done} />`}
    ${asked?.kind === "secret" && html`<${SecretForm} one=${asked.one} close=${close} done=${done} />`}
    ${asked?.kind.startsWith("no-") && html`<${Removal} asked=${asked} close=${close} done=${done} />`}`;
}

/** @param {{first: any, off: boolean, open: (asked: Asked) => void}} props */
function Plain({ first, off, open }) {
  const list = useMore("api/ui/variables", first, "name");
  return html`<div class="scroll"><table class="rows tight" aria-label="Variables"><thead><tr><th>Name</th><th>Value</th><th>Tags</th><th>Changed</th><th class="number">Actions</th></tr></thead>
      <tbody>${list.items.map((one) => html`<tr key=${one.name}><td dir="auto" title=${one.name}>${one.name}</td><td dir="auto" title=${written(one.value)}><code>${typeof one.value === "string" ? one.value : JSON.stringify(one.value)}</code></td>
        <td>${one.tags.join(", ")}</td><td><${When} at=${one.updated_at} /></td>
        <td class="actions"><button disabled=${off} aria-label=${`Change ${one.name}`} onClick=${() => open({ kind: "variable", one })}>Change</button><button disabled=${off} aria-label=${`Delete ${one.name}`} onClick=${() => open({ kind: "no-variable", one })}>Delete</button></td></tr>`)}</tbody></table></div>
    <${More} list=${list} />`;
}

/** @param {{first: any, off: boolean, open: (asked: Asked) => void}} props */
function Hidden({ first, off, open }) {
  const list = useMore("api/secrets", first, "name");
  return html`<div class="scroll"><table class="rows tight" aria-label="Secrets"><thead><tr><th>Name</th><th>Set</th><th>By</th><th class="number">Actions</th></tr></thead>
      <tbody>${list.items.map((one) => html`<tr key=${one.name}><td title=${one.name}>${one.name}</td><td><${When} at=${one.updated_at} /></td><td>${one.updated_by}</td>
        <td class="actions"><button disabled=${off} aria-label=${`Replace ${one.name}`} onClick=${() => open({ kind: "secret", one })}>Replace</button><button disabled=${off} aria-label=${`Delete ${one.name}`} onClick=${() => open({ kind: "no-secret", one })}>Delete</button></td></tr>`)}</tbody></table></div>
    <${More} list=${list} />`;
}

/** @param {{asked: Asked, close: () => void, done: () => void}} props */
function Removal({ asked, close, done }) {
  const { name } = asked.one;
  const place = asked.kind === "no-secret" ? "secrets" : "variables";
  const run = async () => {
    await ask(`api/${place}/${encodeURIComponent(name)}`, { method: "DELETE" });
    done();
  };
  return html`<${Confirm} title=${`Delete ${name}?`} act="Delete" close=${close} run=${run}><p>A flow that asks for it and has no default for it fails.</p><//>`;
}

const written = (/** @type {any} */ value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** @param {{one: any, close: () => void, done: () => void}} props */
function VariableForm({ one, close, done }) {
  const { attempt, error, busy } = useAttempt();
  const send = (/** @type {any} */ event) => {
    event.preventDefault();
    const { elements } = event.currentTarget;
    const value = (/** @type {string} */ name) => elements.namedItem(name).value;
    return attempt(async () => {
      const body = { value: elements.namedItem("json").checked ? parsed(value("value")) : value("value"), tags: value("tags").split(",").map((/** @type {string} */ tag) => tag.trim()).filter(Boolean) };
      await ask(`api/variables/${encodeURIComponent(one?.name ?? value("name").trim())}`, { method: "PUT", body });
      done();
    });
  };
  return html`<${Dialog} label=${one ? `Change ${one.name}` : "New variable"} close=${close}><form onSubmit=${send}><div class="fields">
      ${!one && html`<div class="field"><label for="name">Name</label><input id="name" required dir="auto" autocomplete="off" maxlength="500" /></div>`}
      <div class="field"><label for="value">Value</label><textarea id="value" class="mono" dir="auto" rows="8" spellcheck=${false} defaultValue=${one ? written(one.value) : ""} />
        <label class="check"><input id="json" type="checkbox" defaultChecked=${one && typeof one.value !== "string"} /> <span>it is JSON: a number, a list, an object</span></label></div>
      <div class="field"><label for="tags">Tags <span class="quiet">with commas between</span></label><input id="tags" dir="auto" autocomplete="off" defaultValue=${one?.tags.join(", ") ?? ""} /></div>
    </div>${error && html`<${Failure} error=${error} />`}
    <p class="ends"><button type="button" onClick=${close}>Cancel</button><button class="main" disabled=${busy}>Save</button></p></form><//>`;
}

function parsed(/** @type {string} */ text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The value is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {{one: any, close: () => void, done: () => void}} props */
function SecretForm({ one, close, done }) {
  const { attempt, error, busy } = useAttempt();
  const send = (/** @type {any} */ event) => {
    event.preventDefault();
    const { elements } = event.currentTarget;
    const value = elements.namedItem("secret").value;
    elements.namedItem("secret").value = "";
    return attempt(async () => {
      await ask(`api/secrets/${encodeURIComponent(one?.name ?? elements.namedItem("name").value.trim())}`, { method: "PUT", body: { value } });
      done();
    });
  };
  return html`<${Dialog} label=${one ? `Replace ${one.name}` : "New secret"} close=${close}><form onSubmit=${send}><div class="fields">
      ${!one && html`<div class="field"><label for="name">Name</label><input id="name" required autocomplete="off" maxlength="200" /></div>`}
      <div class="field"><label for="secret">Value</label><textarea id="secret" class="mono secret" required rows="3" spellcheck=${false} autocomplete="off" /></div>
    </div>${error && html`<${Failure} error=${error} />`}
    <p class="ends"><button type="button" onClick=${close}>Cancel</button><button class="main" disabled=${busy}>Save</button></p></form><//>`;
}
