/** One model: its versions with aliases, stages and metrics, what gates them, how aliases moved. */
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { to } from "../lib/route.js";
import { cell } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Aliases, Moves, Names } from "../parts/aliases.js";
import { Card } from "../parts/card.js";
import { said } from "../parts/gate.js";
import { More } from "../parts/more.js";
import { Code, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const CONCERNS = /^(model|version|alias|stage|gate)-/;

/** @param {{name: string}} props */
export function Model({ name }) {
  const path = encodeURIComponent(name);
  const { data, error, again } = useView(`api/ui/models/${path}`, (event) => CONCERNS.test(event.kind) && event.data?.name === name, 500);
  const head = html`<p class="crumbs"><a href=${to("models")}>Models</a></p><h1 dir="auto">${name}</h1>`;
  if (!data) return html`${head}${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  const { model } = data;
  return html`${head}${error && html`<${Failure} error=${error} again=${again} />`}
    <p class="facts"><span>made <${When} at=${model.created_at} /> by <span dir="auto">${model.actor}</span></span>
      ${Object.entries(model.tags).map(([key, value]) => html`<span key=${key} dir="auto">${key}=${value}</span>`)}<span><${Aliases} model=${name} aliases=${model.aliases} /></span></p>
    <${Card} key=${name} path=${`api/models/${path}`} text=${model.description} what="description" done=${again} />
    ${model.policy && html`<h2>What a version must pass before it is ${model.policy.aliases.map((/** @type {string} */ alias) => `@${alias}`).join(", ")}</h2>
      <dl class="facts-list">${Object.entries(model.policy.checks).map(([check, rule]) => html`<div key=${check}><dt>${check}</dt><dd>${said(rule)}</dd></div>`)}</dl>`}
    <h2>Versions</h2>
    ${data.versions.length ? html`<${Versions} name=${name} data=${data} />` : html`<p class="quiet">It has no version. One is registered so:</p><${Code} text=${`register_model(info.uri, ${JSON.stringify(name)})`} />`}
    <h2>How aliases moved</h2><${Moves} model=${name} steps=${data.steps} />`;
}

/** @param {{name: string, data: any}} props */
function Versions({ name, data }) {
  const pages = useMore(`api/models/${encodeURIComponent(name)}/versions?limit=100`, { items: data.versions, next: data.next }, "version");
  return html`<div class="scroll"><table class="rows" aria-label="Versions"><thead><tr><th>Version</th><th>Aliases</th><th>Stage</th><th>Made</th><th>By</th><th>Tracking run</th>
      ${data.metrics.map((/** @type {string} */ key) => html`<th key=${key} class="number" dir="auto">${key}</th>`)}<th>Description</th></tr></thead>
    <tbody>${pages.items.map((one) => html`<tr key=${one.version}><td><a href=${to("models", name, String(one.version))}><b>${one.version}</b></a></td><td><${Names} aliases=${one.aliases} /></td>
      <td>${one.stage === "None" ? html`<span class="quiet">none</span>` : one.stage}</td><td><${When} at=${one.created_at} /></td><td dir="auto">${one.actor}</td>
      <td>${one.run_id && html`<a href=${to("experiments", one.experiment || "-", one.run_id)} dir="auto">${one.run || one.run_id.slice(0, 12)}</a>`}</td>
      ${data.metrics.map((/** @type {string} */ key) => html`<td key=${key} class="number">${cell(one.metrics?.[key])}</td>`)}<td class="quiet" dir="auto" title=${one.description}>${one.description}</td></tr>`)}</tbody></table></div>
    <${More} list=${pages} words="Show older versions" />`;
}
