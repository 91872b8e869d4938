/** Models: versions with their aliases and stages, what gates them, how aliases moved, and where a version comes from. */
import { useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { place, setQuery, to } from "../lib/route.js";
import { full } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const CONCERNS = /^(model|version|alias|stage|gate)-/;
const concerns = (/** @type {any} */ event) => CONCERNS.test(event.kind);

/** @param {{name: string | undefined}} props */
export function Models({ name }) {
  return name === undefined ? html`<${List} />` : html`<${Model} key=${name} name=${name} />`;
}

function List() {
  const { data, error, again } = useView("api/models?limit=1000", concerns, 1000);
  return html`<h1>Models</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title="No model yet"><p>Log one with <code>log_model</code> and register it with <code>register_model</code>; the MLflow client works too.</p><//>`}
    ${data && data.items.length > 0 && html`<div class="scroll"><table class="rows" aria-label="Models"><thead><tr><th>Model</th><th>Aliases</th><th class="number">Versions</th><th>Gated</th><th>Changed</th><th>Description</th></tr></thead>
      <tbody>${data.items.map((/** @type {any} */ one) => html`<tr key=${one.name}><td><a href=${to("models", one.name)} dir="auto">${one.name}</a></td><td><${Aliases} aliases=${one.aliases} /></td>
        <td class="number">${one.n_made}</td><td>${one.policy ? `${Object.keys(one.policy.checks).length} checks` : html`<span class="quiet">no</span>`}</td><td><${When} at=${one.updated_at} /></td><td class="quiet" dir="auto">${one.description}</td></tr>`)}</tbody></table></div>`}`;
}

/** @param {{aliases: Record<string, number>}} props */
function Aliases({ aliases }) {
  return Object.entries(aliases).map(([alias, version]) => html`<span key=${alias} class="alias">@${alias} <b>${version}</b></span> `);
}

/** @param {{name: string}} props */
function Model({ name }) {
  const base = `api/models/${encodeURIComponent(name)}`;
  const model = useView(base, concerns, 500), versions = useView(`${base}/versions`, concerns, 500), history = useView(`${base}/history`, concerns, 500);
  const open = place.value.query.get("version") ?? "";
  const head = html`<p class="crumbs"><a href=${to("models")}>Models</a> /</p><h1 dir="auto">${name}</h1>`;
  const trouble = model.error ?? versions.error ?? history.error;
  if (trouble) return html`${head}<${Failure} error=${trouble} again=${model.again} />`;
  if (!model.data || !versions.data || !history.data) return html`${head}<${Skeleton} />`;
  const one = model.data;
  return html`${head}
    ${one.description && html`<p dir="auto">${one.description}</p>`}
    <p><${Aliases} aliases=${one.aliases} /></p>
    ${one.policy && html`<h2>What a version must pass before it is ${one.policy.aliases.map((/** @type {string} */ alias) => `@${alias}`).join(", ")}</h2>
      <ul>${Object.entries(one.policy.checks).map(([check, rule]) => html`<li key=${check}><b>${check}</b>: ${said(rule)}</li>`)}</ul>`}
    <h2>Versions</h2>
    <div class="scroll"><table class="rows" aria-label="Versions"><thead><tr><th>Version</th><th>Aliases</th><th>Stage</th><th>Made</th><th>By</th><th>Description</th><th>Actions</th></tr></thead>
      <tbody>${versions.data.items.map((/** @type {any} */ version) => html`<${Version} key=${version.version} model=${one} version=${version} open=${open === String(version.version)} again=${() => (model.again(), versions.again(), history.again())} />`)}</tbody></table></div>
    ${open && html`<${Origin} key=${open} base=${`${base}/versions/${open}`} />`}
    <h2>How aliases moved</h2>
    ${history.data.items.length ? html`<div class="scroll"><table class="rows" aria-label="Moves of aliases"><thead><tr><th>When</th><th>Alias</th><th>Version</th><th>Before</th><th>How</th><th>Who</th><th>Why</th></tr></thead>
      <tbody>${history.data.items.map((/** @type {any} */ step) => html`<tr key=${step.id}><td><time datetime=${step.at}>${full(step.at)}</time></td><td>@${step.alias}</td><td>${step.version ?? "none"}</td><td>${step.previous ?? "none"}</td>
        <td>${step.how === "override" ? html`<b>override</b>` : step.how}</td><td>${step.actor}</td><td dir="auto">${step.reason ?? (step.gate_run_id ? html`<a href=${to("runs", step.gate_run_id)}>its checks passed</a>` : "")}</td></tr>`)}</tbody></table></div>`
      : html`<p class="quiet">None has moved yet.</p>`}`;
}

/** Give a check in words. */
function said(/** @type {any} */ rule) {
  const { kind, ...rest } = rule;
  const words = Object.entries(rest).filter(([, value]) => value !== null && value !== "" && value?.length !== 0).map(([key, value]) => `${key.replaceAll("_", " ")} ${value}`);
  return [kind, ...words].join(", ");
}

/** @param {{model: any, version: any, open: boolean, again: () => void}} props */
function Version({ model, version, open, again }) {
  const [problem, setProblem] = useState("");
  async function move() {
    const alias = prompt("Which alias is to mean this version?", "staging");
    if (!alias) return;
    try {
      await ask(`api/models/${encodeURIComponent(model.name)}/aliases/${encodeURIComponent(alias)}`, { method: "PUT", body: { version: version.version } });
      setProblem("");
      again();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }
  return html`<tr><td><b>${version.version}</b></td><td>${version.aliases.map((/** @type {string} */ alias) => html`<span key=${alias} class="alias">@${alias}</span> `)}</td><td>${version.stage}</td>
    <td><${When} at=${version.created_at} /></td><td>${version.actor}</td><td class="quiet" dir="auto" title=${version.description}>${version.description}</td>
    <td class="actions"><button onClick=${move}>Set alias</button><button aria-expanded=${open} onClick=${() => setQuery("version", open ? "" : String(version.version))}>Where from</button>
      ${problem && html`<span role="alert" class="bad-text">${problem}</span>`}</td></tr>`;
}

/** What a version was made from, and what its checks gave. @param {{base: string}} props */
function Origin({ base }) {
  const lineage = useView(`${base}/lineage`, concerns), checks = useView(`${base}/checks`, concerns);
  if (lineage.error) return html`<${Failure} error=${lineage.error} />`;
  if (!lineage.data) return html`<${Skeleton} rows=${3} />`;
  const from = lineage.data;
  const run = (/** @type {string} */ id, /** @type {string} */ name) => id && html`<a href=${to("runs", id)} dir="auto">${name || id}</a>`;
  const facts = [
    ["Files", html`<code>${from.source}</code>`],
    ["Tracking run", from.run_id && html`<a href=${withQuery(to("experiments", from.experiment), { runs: from.run_id })} dir="auto">${from.run_name || from.run_id}</a> in ${from.experiment}`],
    ["Task run", from.task_run && html`<span dir="auto">${from.task_run}</span> <span class="quiet">code ${from.task_version}</span>`],
    ["Flow run", run(from.flow_run_id, from.flow_run)],
    ["Code", from.code_file && html`<code>${from.code_file}</code> <span class="quiet">version ${from.code_version}</span>`],
    ["Data", from.data.length > 0 && html`<ul>${from.data.map((/** @type {any} */ one) => html`<li key=${one.digest}>${one.name} <code>${one.digest}</code> ${one.context}</li>`)}</ul>`],
  ].filter(([, value]) => value);
  return html`<h2>Where version ${from.version} comes from</h2>
    <dl class="facts-list">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${checks.data?.items.length > 0 && html`<h2>Its checks</h2><div class="scroll"><table class="rows" aria-label="Checks"><thead><tr><th>When</th><th>Check</th><th>Result</th><th>Against</th><th>Detail</th></tr></thead>
      <tbody>${checks.data.items.map((/** @type {any} */ one) => html`<tr key=${one.id}><td>${full(one.at)}</td><td>${one.check}</td><td><span class="state" data-kind=${one.passed ? "completed" : "failed"}><i aria-hidden="true">${one.passed ? "✓" : "✕"}</i>${one.passed ? "passed" : "failed"}</span></td>
        <td>${one.champion ?? "none"}</td><td dir="auto">${one.detail}</td></tr>`)}</tbody></table></div>`}`;
}
