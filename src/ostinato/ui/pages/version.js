/** One version of a model: where it comes from and what came of it, what it takes and gives, what its checks gave. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { called } from "../lib/names.js";
import { to } from "../lib/route.js";
import { full } from "../lib/time.js";
import { bytes, metric } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Moves, Names } from "../parts/aliases.js";
import { Card } from "../parts/card.js";
import { Checks, concerns, Passed, Promote, Promotion } from "../parts/gate.js";
import { Lineage } from "../parts/lineage.js";
import { Code, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const MOST_METRICS = 30;

/** @param {{name: string, version: string}} props */
export function Version({ name, version }) {
  const path = `${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
  const runs = useRef(/** @type {Set<string>} */ (new Set())).current;
  const { data, error, again } = useView(`api/ui/models/${path}`, (event) => concerns(event, name, runs), 500);
  if (data?.promotion) runs.add(data.promotion.run_id);
  const [promotes, setPromotes] = useState(false);
  useLayoutEffect(() => offer([{ keys: "p", words: "Promote this version", group: "Model", run: () => setPromotes(true) }]), []);
  const crumbs = html`<p class="crumbs"><a href=${to("models")}>Models</a> / <a href=${to("models", name)} dir="auto">${name}</a></p>`;
  if (!data) return html`${crumbs}<h1>Version ${version}</h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  const { model, version: one } = data;
  const metrics = Object.entries(data.metrics);
  return html`${crumbs}
    <div class="title"><h1>Version ${one.version}</h1><span><${Names} version=${one} /></span>
      <span class="actions"><button class="main" onClick=${() => setPromotes(true)}>Promote…</button></span></div>
    <p class="facts"><span>made <${When} at=${one.created_at} /> by <span dir="auto">${one.actor}</span></span><span><code>${one.uri}</code></span>
      ${Object.entries(one.tags).map(([key, value]) => html`<span key=${key} dir="auto">${key}=${value}</span>`)}</p>
    ${data.promotion && html`<div class="promotion"><span class="quiet">Last promotion:</span> <${Promotion} of=${data.promotion} /></div>`}
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${promotes && html`<${Promote} model=${model} version=${one} gates=${data.gates} done=${again} close=${() => setPromotes(false)} />`}
    <${Card} key=${path} path=${`api/models/${encodeURIComponent(name)}/versions/${one.version}`} text=${one.description} what="description" done=${again} />
    <h2>Where it comes from, and what it is now</h2><${From} data=${data} />
    ${metrics.length > 0 && html`<h2>Metrics of its tracking run</h2><div class="scroll"><table class="rows pairs" aria-label="Metrics"><tbody>${metrics.slice(0, MOST_METRICS).map(([key, value]) => html`<tr key=${key}><th scope="row" dir="auto" title=${key}>${key}</th><td title=${value}>${metric(value)}</td></tr>`)}</tbody></table></div>
      ${metrics.length > MOST_METRICS && html`<p class="quiet">${(metrics.length - MOST_METRICS).toLocaleString("en")} more are on the page of its tracking run.</p>`}`}
    ${data.gates.map((/** @type {any} */ gate) => html`<h2 key=${gate.alias}>Gate of @${gate.alias} <span class="quiet">${Object.entries(gate.unmet).map(([check, why]) => `${check}: ${why}`).join("; ") || "passed"}</span></h2><${Checks} policy=${model.policy} gate=${gate} />`)}
    <h2>What it takes and gives</h2><${Signature} signature=${data.signature} />
    ${data.requirements.length > 0 && html`<h2>What it needs</h2><${Code} text=${data.requirements.join("\n")} />`}
    ${data.checks.length > 0 && html`<h2>All checks so far</h2><${History} checks=${data.checks} />`}
    <h2>How aliases moved</h2><${Moves} model=${name} steps=${data.steps} />`;
}

/** @param {{data: any}} props */
function From({ data }) {
  const { origin: from, version } = data;
  const me = `models:/${version.name}/${version.version}`;
  const flow = from.flow_run_id && { id: "flow", kind: `flow run${from.flow ? ` of ${from.flow}` : ""}`, words: from.flow_run || from.flow_run_id, href: from.flow_run ? to("runs", from.flow_run_id) : undefined };
  const run = from.run_id && { id: "run", kind: `tracking run${from.experiment ? ` in ${from.experiment}` : ""}`, words: from.run_name || from.run_id, href: from.run_name ? to("experiments", from.experiment, from.run_id) : undefined };
  const chain = [flow, run].filter(Boolean);
  const sources = from.data.map((/** @type {any} */ one) => ({ id: one.digest, kind: `data${one.context ? `, ${one.context}` : ""}`, words: `${one.name} ${one.digest.slice(0, 8)}`, href: to("datasets", one.name, one.digest), via: one.via }));
  const aliases = version.aliases.map((/** @type {string} */ alias) => ({ id: `@${alias}`, kind: "alias", words: `@${alias}` }));
  const items = [...sources, ...chain, { id: me, kind: "version", words: `${version.name} ${version.version}`, main: true }, ...aliases];
  const steps = [...chain, { id: me }];
  const edges = /** @type {[string, string][]} */ ([
    ...sources.map((/** @type {any} */ one) => [one.id, one.via === "tracking-run" && run ? "run" : (steps[0]?.id ?? me)]),
    ...steps.slice(1).map((step, at) => [steps[at].id, step.id]),
    ...aliases.map((/** @type {any} */ alias) => [me, alias.id]),
  ]);
  const facts = [
    ["Files", html`<code>${from.source}</code> <span class="quiet">${[data.flavor, bytes(data.size_bytes)].filter(Boolean).join(", ")}</span>`],
    ["Code", from.code_file && html`<code>${from.code_file}</code> <span class="quiet">${from.code_version && `version ${from.code_version}`}</span>`],
    ["Task run", from.task_run && html`<a href=${to("runs", from.flow_run_id, "tasks", String(from.task_no))} dir="auto" title=${from.task_run}>${called(from.task_run)}</a>`],
    ["Task code", from.task_version && html`<code>${from.task_version}</code>`],
  ].filter(([, value]) => value);
  return html`<${Lineage} items=${items} edges=${edges} label=${`Lineage of version ${version.version}`} />
    <dl class="facts-list">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** @param {{signature: any}} props */
function Signature({ signature }) {
  if (!signature) return html`<p class="quiet">It does not say: it was logged without a signature. <code>log_model(model, "model", example=...)</code> records one.</p>`;
  const part = (/** @type {string} */ title, /** @type {any[] | null} */ rows) => rows && html`<div class="scroll"><table class="rows pairs" aria-label=${title}><thead><tr><th>${title}</th><th>Type</th><th>Needed</th></tr></thead>
    <tbody>${rows.slice(0, 500).map((row, at) => html`<tr key=${at}><th scope="row" dir="auto">${row.name || html`<span class="quiet">column ${at + 1}</span>`}</th><td>${row.type}</td><td>${row.required ? "yes" : "no"}</td></tr>`)}</tbody></table></div>`;
  return html`${part("Takes", signature.inputs)}${part("Gives", signature.outputs)}${signature.params?.length ? part("Parameters", signature.params) : null}`;
}

/** @param {{checks: any[]}} props */
function History({ checks }) {
  return html`<div class="scroll"><table class="rows" aria-label="Checks"><thead><tr><th>When</th><th>For</th><th>Check</th><th>Result</th><th>Against</th><th>What it said</th><th>By</th></tr></thead>
    <tbody>${checks.map((one) => html`<tr key=${one.id}><td><a href=${to("runs", one.gate_run_id)}><time datetime=${one.at}>${full(one.at)}</time></a></td><td>@${one.alias}</td><td>${one.check}</td><td><${Passed} passed=${one.passed} /></td>
      <td>${one.champion ? `version ${one.champion}` : html`<span class="quiet">none</span>`}</td><td class="wrap" dir="auto">${one.detail}</td><td dir="auto">${one.actor}</td></tr>`)}</tbody></table></div>`;
}
