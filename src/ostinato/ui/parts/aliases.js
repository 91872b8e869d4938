/** Aliases, and how they moved. */
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { full } from "../lib/time.js";

/** Aliases that are stages too. */
const STAGES = new Set(["staging", "production"]);
const stage = (/** @type {string} */ alias) => STAGES.has(alias) && html` <span class="quiet">stage</span>`;

/** Aliases of a model, each with the version that it means. @param {{model: string, aliases: Record<string, number>}} props */
export function Aliases({ model, aliases }) {
  return Object.entries(aliases).map(([alias, version]) => html`<a key=${alias} class="alias" href=${to("models", model, String(version))}>@${alias} <b>${version}</b>${stage(alias)}</a> `);
}

/** Aliases of one version; its stage where that is none of them. @param {{version: {aliases: string[], stage: string}}} props */
export function Names({ version }) {
  const other = version.stage.toLowerCase();
  return html`${version.aliases.map((alias) => html`<span key=${alias} class="alias">@${alias}${stage(alias)}</span> `)}
    ${other !== "none" && !version.aliases.includes(other) && html`<span class="quiet">${other === "archived" ? other : `stage ${other}`}</span>`}`;
}

/** How aliases moved: by whom, and why. @param {{model: string, steps: any[]}} props */
export function Moves({ model, steps }) {
  if (!steps.length) return html`<p class="quiet">None has moved yet.</p>`;
  const version = (/** @type {number | null} */ number) => (number ? html`<a href=${to("models", model, String(number))}>${number}</a>` : html`<span class="quiet">none</span>`);
  return html`<div class="scroll"><table class="rows" aria-label="Moves of aliases"><thead><tr><th>When</th><th>Alias</th><th>Version</th><th>Before</th><th>How</th><th>Who</th><th>Why</th></tr></thead>
    <tbody>${steps.map((step) => html`<tr key=${step.id}><td><time datetime=${step.at}>${full(step.at)}</time></td><td>@${step.alias}</td><td>${version(step.version)}</td><td>${version(step.previous)}</td>
      <td>${step.how === "override" ? html`<b class="bad-text">override</b>` : step.how}</td><td dir="auto">${step.actor}</td>
      <td class="wrap" dir="auto">${step.reason ?? (step.gate_run_id ? html`<a href=${to("runs", step.gate_run_id)}>its checks passed</a>` : "")}</td></tr>`)}</tbody></table></div>`;
}
