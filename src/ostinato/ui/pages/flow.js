/** One flow: its tasks in its last runs, how long they took, what is deployed of it, and what it takes. */
import { useMemo, useRef } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { cut } from "../lib/names.js";
import { term } from "../lib/query.js";
import { to } from "../lib/route.js";
import { span } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { said } from "../parts/form.js";
import { Grid } from "../parts/grid.js";
import { Markdown } from "../parts/markdown.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { Rate } from "../parts/rate.js";
import { When } from "../parts/when.js";

const OF_RUNS = new Set(["run-moved", "run-dropped", "task-started", "task-moved"]);

/** @param {{name: string}} props */
export function Flow({ name }) {
  const known = useRef(/** @type {Set<string>} */ (new Set()));
  const { data, error, again } = useView(withQuery("api/ui/flow", { name }), (event) => {
    if (event.kind === "run-created") return event.data.flow === name;
    if (event.kind.startsWith("deployment-")) return event.data.deployment?.flow === name || event.kind === "deployment-removed";
    return event.kind === "stream-lost" || (OF_RUNS.has(event.kind) && known.current.has(event.data.run_id));
  }, 1000);
  const head = html`<p class="crumbs"><a href=${to("flows")}>Flows</a></p>`;
  if (!data) return html`${head}<h1 dir="auto">${name}</h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  known.current = new Set(data.runs.map((/** @type {any} */ run) => run.id));
  const runs = withQuery(to("runs"), { q: term("flow", name) });
  return html`${head}
    <div class="title"><h1 dir="auto">${name}</h1><span class="actions"><a href=${runs}>All its runs</a></span></div>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${data.runs.length + data.deployments.length === 0
      ? html`<${Empty} title="No run, and no deployment"><p>No flow of this name has run here, or all of it was deleted. <a href=${to("flows")}>All flows</a></p><//>`
      : html`<${Facts} flow=${data} />
        ${data.description && html`<${Markdown} text=${data.description} level=${2} />`}
        <h2>Last runs <span class="quiet">${data.runs.length ? `${data.runs.length}, the newest at the right` : "none has begun"}</span></h2>
        ${data.runs.length > 0 && html`<${Grid} runs=${data.runs} tasks=${data.tasks} p50=${data.p50_s} />`}
        ${!data.whole && html`<p class="quiet">There are more tasks than are shown here.</p>`}
        <h2>Deployments</h2><${Deployed} found=${data.deployments} flow=${name} />
        <h2>Parameters</h2><${Parameters} flow=${data} />`}`;
}

/** @param {{flow: any}} props */
function Facts({ flow }) {
  return html`<p class="facts">
    <span>success in 24 hours <b><${Rate} of=${flow.day} /></b></span><span>in 7 days <b><${Rate} of=${flow.week} /></b></span>
    ${flow.p50_s !== null && html`<span>half within <b>${span(flow.p50_s)}</b></span><span>95 % within <b>${span(flow.p95_s)}</b></span>`}
    ${flow.next_at && html`<span>next <b><${When} at=${flow.next_at} /></b></span>`}
    ${flow.function && html`<span><code>${flow.file ? `${flow.file}:` : ""}${flow.function}</code></span>`}
    ${flow.version && html`<span>version <code>${flow.version.slice(0, 12)}</code></span>`}
  </p>`;
}

/** @param {{found: any[], flow: string}} props */
function Deployed({ found, flow }) {
  if (!found.length) return html`<p class="quiet">None. <code>ostinato deploy FILE:FLOW --name NAME</code> makes one that workers run.</p>`;
  return html`<div class="scroll"><table class="rows" aria-label="Deployments of the flow"><thead><tr><th>Deployment</th><th>When</th><th>Next</th></tr></thead>
    <tbody>${found.map((one) => html`<tr key=${one.id}><td><a href=${to("deployments", flow, one.name)} dir="auto">${one.name}</a></td>
      <td>${one.paused && html`<b>paused</b> `}${one.said.join("; ") || html`<span class="quiet">when asked</span>`}</td><td><${When} at=${one.next_at} /></td></tr>`)}</tbody></table></div>`;
}

/** What the flow takes: as its hints say when it is deployed, else as its newest run had it. @param {{flow: any}} props */
function Parameters({ flow }) {
  const { parameter_schema: schema, parameters: values, deployments } = flow;
  const rows = useMemo(() => rowsOf(schema, values), [schema, values]);
  const isKnown = schema.properties !== undefined;
  const givers = isKnown ? deployments.filter((/** @type {any} */ one) => Object.keys(one.parameters).length) : [];
  if (!rows.length) return html`<p class="quiet">${isKnown ? "It takes none." : "None is recorded."}</p>`;
  return html`<div class="scroll"><table class="rows" aria-label="Parameters">
    <thead><tr><th>Name</th><th>Type</th><th>${isKnown ? "Default of the flow" : "In its newest run"}</th>${givers.length > 0 && html`<th>Deployments give</th>`}${isKnown && html`<th>Description</th>`}</tr></thead>
    <tbody>${rows.map((one) => html`<tr key=${one.name}><td><code dir="auto">${one.name}</code></td><td>${one.type}</td>
      <td>${one.required ? html`<b>required</b>` : html`<code dir="auto" title=${one.value}>${one.value}</code>`}</td>
      ${givers.length > 0 && html`<td dir="auto"><${Given} name=${one.name} givers=${givers} flow=${flow.name} /></td>`}
      ${isKnown && html`<td class="quiet" dir="auto" title=${one.description}>${one.description}</td>`}</tr>`)}</tbody></table></div>`;
}

/** Values of a parameter that deployments give instead of the default. @param {{name: string, givers: any[], flow: string}} props */
function Given({ name, givers, flow }) {
  return givers.filter((one) => name in one.parameters).map((one, at) => html`<span key=${one.id}>${at > 0 && ", "}<a href=${to("deployments", flow, one.name)}>${one.name}</a> <code title=${JSON.stringify(one.parameters[name])}>${cut(JSON.stringify(one.parameters[name]), 40)}</code></span>`);
}

function rowsOf(/** @type {any} */ schema, /** @type {Record<string, any>} */ values) {
  if (!schema.properties) {
    return Object.entries(values).map(([name, value]) => ({ name, type: kindOf(value), required: false, value: JSON.stringify(value), description: "" }));
  }
  return Object.entries(schema.properties).map(([name, one]) => {
    const value = one.default;
    return { name, type: said(one, schema.$defs), required: value === undefined && (schema.required ?? []).includes(name), value: value === undefined ? "" : JSON.stringify(value), description: one.description ?? "" };
  });
}

function kindOf(/** @type {any} */ value) {
  if (Array.isArray(value)) return "list";
  if (value === null) return "none";
  return { number: "number", string: "text", boolean: "yes or no" }[/** @type {string} */ (typeof value)] ?? "object";
}
