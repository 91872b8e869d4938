/** One model: its versions with aliases, metrics and what their last check said, what gates them, how aliases moved. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { to } from "../lib/route.js";
import { metric } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Aliases, Moves, Names } from "../parts/aliases.js";
import { Card } from "../parts/card.js";
import { concerns, Promotion, PromoteVersion, said } from "../parts/gate.js";
import { More } from "../parts/more.js";
import { Code, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

/** @param {{name: string}} props */
export function Model({ name }) {
  const path = encodeURIComponent(name);
  const runs = useRef(/** @type {Set<string>} */ (new Set())).current;
  const { data, error, again } = useView(`api/ui/models/${path}`, (event) => concerns(event, name, runs), 500);
  for (const one of data?.versions ?? []) if (one.promotion) runs.add(one.promotion.run_id);
  const [promoted, setPromoted] = useState(0);
  const newest = data?.versions[0]?.version ?? 0;
  useLayoutEffect(() => (newest ? offer([{ keys: "p", words: "Promote the newest version", group: "Model", run: () => setPromoted(newest) }]) : undefined), [newest]);
  const crumbs = html`<p class="crumbs"><a href=${to("models")}>Models</a></p>`;
  if (!data) return html`${crumbs}<h1 dir="auto">${name}</h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  const { model } = data;
  return html`${crumbs}<div class="title"><h1 dir="auto">${name}</h1>
      ${newest > 0 && html`<span class="actions"><button class="main" onClick=${() => setPromoted(newest)}>Promote version ${newest}…</button></span>`}</div>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    <p class="facts"><span>made <${When} at=${model.created_at} /> by <span dir="auto">${model.actor}</span></span>
      ${Object.entries(model.tags).map(([key, value]) => html`<span key=${key} dir="auto">${key}=${value}</span>`)}<span><${Aliases} model=${name} aliases=${model.aliases} /></span></p>
    ${promoted > 0 && html`<${PromoteVersion} key=${promoted} name=${name} version=${promoted} done=${again} close=${() => setPromoted(0)} />`}
    <${Card} key=${name} path=${`api/models/${path}`} text=${model.description} what="description" done=${again} />
    ${model.policy && html`<h2>What a version must pass before it is ${model.policy.aliases.map((/** @type {string} */ alias) => `@${alias}`).join(", ")}</h2>
      <dl class="facts-list">${Object.entries(model.policy.checks).map(([check, rule]) => html`<div key=${check}><dt>${check}</dt><dd>${said(rule)}</dd></div>`)}</dl>`}
    <h2>Versions</h2>
    ${data.versions.length ? html`<${Versions} name=${name} data=${data} promote=${setPromoted} />` : html`<p class="quiet">It has no version. One is registered so:</p><${Code} text=${`register_model(info.uri, ${JSON.stringify(name)})`} />`}
    <h2>How aliases moved</h2><${Moves} model=${name} steps=${data.steps} />`;
}

/** @param {{name: string, data: any, promote: (version: number) => void}} props */
function Versions({ name, data, promote }) {
  const pages = useMore(`api/models/${encodeURIComponent(name)}/versions?limit=100`, { items: data.versions, next: data.next }, "version");
  return html`<div class="scroll"><table class="rows" aria-label="Versions"><thead><tr><th>Version</th><th>Made by</th><th>Aliases</th><th>Last promotion</th><th>Actions</th>
      ${data.metrics.map((/** @type {string} */ key) => html`<th key=${key} class="number" dir="auto">${key}</th>`)}<th>Made</th><th>By</th><th>Description</th></tr></thead>
    <tbody>${pages.items.map((one) => html`<tr key=${one.version}><td><a href=${to("models", name, String(one.version))}><b>${one.version}</b></a></td><td>${one.run_id && html`<a href=${to("experiments", one.experiment || "-", one.run_id)} dir="auto">${one.run || one.run_id.slice(0, 12)}</a>`}</td><td><${Names} version=${one} /></td>
      <td class="wrap promotion">${one.promotion ? html`<${Promotion} of=${one.promotion} />` : one.promotion === null && html`<span class="quiet">none</span>`}</td>
      <td class="actions left"><button aria-label=${`Promote version ${one.version}`} onClick=${() => promote(one.version)}>Promote…</button></td>
      ${data.metrics.map((/** @type {string} */ key) => html`<td key=${key} class="number" title=${one.metrics?.[key] ?? ""}>${metric(one.metrics?.[key])}</td>`)}<td><${When} at=${one.created_at} /></td><td dir="auto">${one.actor}</td>
      <td class="quiet" dir="auto" title=${one.description}>${one.description}</td></tr>`)}</tbody></table></div>
    <${More} list=${pages} words="Show older versions" />`;
}
