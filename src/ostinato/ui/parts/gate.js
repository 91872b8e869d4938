/** What a version must pass before it gets an alias, what its checks gave, and how it is promoted. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { shown } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Dialog } from "./dialog.js";
import { Code, Failure } from "./notices.js";
import { State } from "./state.js";
import { When } from "./when.js";

const OWN = /^(model|version|alias|stage|gate)-/;
/** How a promotion went, by the state of its run; the other states speak for themselves. */
const OUTCOMES = /** @type {Record<string, [string, string, string]>} */ ({
  Completed: ["completed", "✓", "passed"], Failed: ["failed", "✕", "failed"], Paused: ["paused", "‖", "waits for approval"],
});

/**
 * Tell whether an event changes what is shown of a model: one of its own, or one of a run that promotes a version.
 * @param {import("../lib/feed.js").Happening} event
 * @param {string} model
 * @param {Set<string>} runs promotions that are known; one that begins becomes one of them
 */
export function concerns(event, model, runs) {
  const { name, flow, run_id } = event.data ?? {};
  if (OWN.test(event.kind)) return name === model;
  if (event.kind === "run-created" && flow === "promotion" && name.startsWith(`${model}-`)) runs.add(run_id);
  return event.kind.startsWith("run-") && runs.has(run_id);
}

/** Give a check in words. */
export function said(/** @type {any} */ rule) {
  switch (rule.kind) {
    case "metric":
      return `${rule.metric} is ${[rule.min !== null && `at least ${shown(rule.min)}`, rule.max !== null && `at most ${shown(rule.max)}`].filter(Boolean).join(" and ")}`;
    case "latency":
      return `${rule.metric} is at most ${shown(rule.max_s)} s`;
    case "champion":
      return `${rule.metric} is ${rule.goal} than that of the version that has the alias${rule.by ? `, by ${shown(rule.by)} at least` : ""}, on the same data${rule.data ? ` (${rule.data})` : ""}`;
    case "signature":
      return "it takes all that the version takes that has the alias";
    case "task":
      return `the task ${rule.task} neither fails nor gives False`;
    case "approval":
      return `${rule.by.length ? rule.by.join(" or ") : "somebody who may resume runs"} says yes within ${Math.round(rule.within_s / 360) / 10} h`;
    default:
      return rule.kind;
  }
}

/** Passed, failed or not checked: shape, word and colour. @param {{passed: boolean | null, counts?: boolean}} props */
export function Passed({ passed, counts = true }) {
  const [kind, glyph, word] = passed === null ? ["pending", "◌", "not checked"] : passed && !counts ? ["late", "△", "passed once"] : passed ? ["completed", "✓", "passed"] : ["failed", "✕", "failed"];
  return html`<span class="state" data-kind=${kind}><i aria-hidden="true">${glyph}</i>${word}</span>`;
}

/** The last run that was to give a version an alias: how it went, and why. @param {{of: Api.PromotionView}} props */
export function Promotion({ of: one }) {
  const [kind, glyph, word] = OUTCOMES[one.state] ?? [];
  const failed = Object.entries(one.failed);
  return html`${word ? html`<span class="state" data-kind=${kind}><i aria-hidden="true">${glyph}</i>${word}</span>` : html`<${State} state=${one.state} />`} <a href=${to("runs", one.run_id)}>for @${one.alias}</a>
    ${failed.map(([check, detail]) => html`<div key=${check} class="quiet" dir="auto">${check}: ${detail}</div>`)}
    ${!failed.length && !word && one.message && html`<div class="quiet" dir="auto">${one.message}</div>`}`;
}

/** The checks of a policy with the newest results for one alias. @param {{policy: any, gate: any}} props */
export function Checks({ policy, gate }) {
  return html`<div class="scroll"><table class="rows" aria-label=${`Checks for @${gate.alias}`}><thead><tr><th>Check</th><th>Result</th><th>What it asks for</th><th>What it said</th><th>When</th></tr></thead>
    <tbody>${Object.entries(policy.checks).map(([name, rule]) => {
      const result = gate.results[name];
      return html`<tr key=${name}><td>${name}</td><td><${Passed} passed=${result ? result.passed : null} counts=${!(name in gate.unmet)} /></td><td class="wrap">${said(rule)}</td><td class="wrap" dir="auto">${result?.detail ?? ""}${result?.passed && name in gate.unmet ? html` <span class="quiet">(${gate.unmet[name]})</span>` : ""}</td>
        <td>${result && html`<a href=${to("runs", result.gate_run_id)}><${When} at=${result.at} /></a>`}</td></tr>`;
    })}</tbody></table></div>`;
}

/** The dialog for a version of which the page knows the number alone. @param {{name: string, version: number, done: () => void, close: () => void}} props */
export function PromoteVersion({ name, version, done, close }) {
  const { data, error, again } = useView(`api/ui/models/${encodeURIComponent(name)}/${version}`, (event) => OWN.test(event.kind) && event.data?.name === name, 500);
  if (data) return html`<${Promote} model=${data.model} version=${data.version} gates=${data.gates} done=${() => (again(), done())} close=${close} />`;
  return error && html`<${Dialog} label=${`Promote version ${version} of ${name}`} close=${close}><${Failure} error=${error} again=${again} /><//>`;
}

/** @param {{model: any, version: any, gates: any[], done: () => void, close: () => void}} props */
export function Promote({ model, version, gates, done, close }) {
  const [alias, setAlias] = useState(gates[0]?.alias ?? "staging");
  const { attempt, error, busy } = useAttempt();
  const [reason, setReason] = useState("");
  const [begun, setBegun] = useState(/** @type {any} */ (null));
  const gate = gates.find((one) => one.alias === alias || one.alias === alias.toLowerCase());
  const names = [...new Set([...gates.map((one) => one.alias), ...Object.keys(model.aliases), "staging", "production"])];
  const path = `api/models/${encodeURIComponent(model.name)}`;
  const has = version.aliases.includes(gate?.alias ?? alias);
  const mayNot = gate && Object.keys(gate.unmet).length > 0 && !has;
  async function set(/** @type {Record<string, unknown>} */ more) {
    if (!(await attempt(() => ask(`${path}/aliases/${encodeURIComponent(alias)}`, { method: "PUT", body: { version: version.version, ...more } })))) return;
    done();
    close();
  }
  const check = () => attempt(async () => setBegun(await ask(`${path}/promotions`, { method: "POST", body: { version: version.version, to: alias } })));
  return html`<${Dialog} label=${`Promote version ${version.version} of ${model.name}`} close=${close}>
    <label>Alias or stage <input list="aliases" value=${alias} spellcheck=${false} autocomplete="off" onInput=${(/** @type {any} */ event) => setAlias(event.currentTarget.value.trim())} /></label>
    <datalist id="aliases">${names.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    <p aria-live="polite">${has ? html`It is <b>@${alias}</b>.` : !gate ? html`Nothing is checked before a version gets <b>@${alias || "..."}</b>.` : mayNot ? html`It may not have <b>@${alias}</b> yet.` : html`All checks have passed: it may have <b>@${alias}</b>.`}
      ${gate && !has ? (gate.champion ? ` Version ${gate.champion} has it, or had it last.` : " No version has had it.") : ""}</p>
    ${gate && html`<${Checks} policy=${model.policy} gate=${gate} />`}
    ${begun && html`<p class="notice" role="status">A worker runs the checks in <a href=${to("runs", begun.id)} dir="auto">${begun.name}</a>; what they say appears here.</p>`}
    ${error && html`<${Failure} error=${error} />`}
    ${mayNot && html`<details><summary>In a terminal</summary><${Code} text=${`ostinato promote ${word(model.name)} ${version.version} --to ${word(alias)}`} /></details>
      <details><summary>Let it pass whatever its checks say</summary><p class="quiet">An admin or operator may. Who did it, and why, is kept.</p>
        <label>Why <input value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.currentTarget.value)} /></label>
        <p><button class="danger" disabled=${busy || !reason.trim() || !alias} onClick=${() => set({ override: reason.trim() })}>Override the gate</button></p></details>`}
    <p class="ends"><button onClick=${close}>Close</button>${mayNot ? html`<button class="main" disabled=${busy} onClick=${check}>Run the checks</button>` : !has && html`<button class="main" disabled=${busy || !alias} onClick=${() => set({})}>Set @${alias || "..."}</button>`}</p>
  <//>`;
}

/** Give a word as a shell takes it. */
const word = (/** @type {string} */ text) => (/^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
