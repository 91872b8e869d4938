/** Experiments: their tracking runs with parameters and metrics, compared, and what each metric did. */
import { useState } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { place, setQuery, to } from "../lib/route.js";
import { span } from "../lib/time.js";
import { columnsOf, shown } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { Compared } from "../parts/compared.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["experiment-made", "experiment-changed", "tracking-begun", "tracking-changed", "metrics-logged", "params-logged"]);
const MOST_COLUMNS = 8;
const MOST_COMPARED = 4;
const STATUS = /** @type {Record<string, [string, string]>} */ ({
  running: ["◐", "running"], scheduled: ["○", "scheduled"], finished: ["✓", "completed"], failed: ["✕", "failed"], killed: ["⊘", "cancelled"],
});
const FIRST = `from ostinato import log_metric, log_param, start_run

with start_run(experiment="rides", name="first"):
    log_param("depth", 4)
    log_metric("rmse", 6.5)`;

/** @param {{name: string | undefined}} props */
export function Experiments({ name }) {
  return name === undefined ? html`<${List} />` : html`<${Experiment} key=${name} name=${name} />`;
}

function List() {
  const { data, error, again } = useView("api/experiments?limit=1000", (event) => event.kind.startsWith("experiment-"), 1000);
  return html`<h1>Experiments</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title="No experiment yet" code=${FIRST}><p>The MLflow client works too, with <code>MLFLOW_TRACKING_URI</code> set to this server.</p><//>`}
    ${data && data.items.length > 0 && html`<div class="scroll"><table class="rows" aria-label="Experiments"><thead><tr><th>Experiment</th><th>Changed</th><th>Made</th></tr></thead>
      <tbody>${data.items.map((/** @type {any} */ one) => html`<tr key=${one.id}><td><a href=${to("experiments", one.name)} dir="auto">${one.name}</a></td>
        <td><${When} at=${one.updated_at} /></td><td><${When} at=${one.created_at} /></td></tr>`)}</tbody></table></div>`}`;
}

/** @param {{name: string}} props */
function Experiment({ name }) {
  const query = place.value.query;
  const where = query.get("q") ?? "";
  const order = query.get("order") ?? "";
  const chosen = (query.get("runs") ?? "").split(",").filter(Boolean);
  const address = withQuery("api/tracking-runs", { experiment: name, where, order_by: order, limit: 200 });
  const { data, error, again } = useView(address, (event) => CONCERNS.has(event.kind), 1000);
  const runs = data?.items ?? [];
  const choose = (/** @type {string} */ id) => setQuery("runs", (chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id].slice(-MOST_COMPARED)).join(","));
  return html`<p class="crumbs"><a href=${to("experiments")}>Experiments</a> /</p><h1 dir="auto">${name}</h1>
    <form class="query" role="search" onSubmit=${(/** @type {any} */ event) => {
      event.preventDefault();
      setQuery("q", event.currentTarget.elements.q.value.trim(), false);
    }}><input name="q" data-search type="search" aria-label="Filter" key=${where} defaultValue=${where} spellcheck=${false} autocomplete="off"
        placeholder="metrics.rmse < 6.5 and params.depth = '4'" /><button>Search</button></form>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !runs.length && html`<${Empty} title=${where ? "No run matches" : "No run yet"}><p>${where ? "All terms must hold." : "Runs of this experiment appear here by themselves."}</p><//>`}
    ${chosen.length > 1 && html`<${Compared} runs=${chosen} close=${() => setQuery("runs", "")} />`}
    ${runs.length > 0 && html`<${Table} runs=${runs} order=${order} chosen=${chosen} choose=${choose} />`}
    ${data?.next && html`<p class="quiet">There are more runs: narrow the filter, or order by what you look for.</p>`}`;
}

/** @param {{runs: any[], order: string, chosen: string[], choose: (id: string) => void}} props */
function Table({ runs, order, chosen, choose }) {
  const [wide, setWide] = useState(false);
  const most = wide ? Infinity : MOST_COLUMNS;
  const metrics = columnsOf(runs, "metrics"), params = columnsOf(runs, "params");
  const some = { metrics: metrics.slice(0, most), params: params.slice(0, most) };
  const hidden = metrics.length + params.length - some.metrics.length - some.params.length;
  const name = (/** @type {string} */ key) => (/^[\w.]+$/.test(key) ? key : `\`${key}\``);
  const turn = (/** @type {string} */ key) => {
    const up = `metrics.${name(key)} ASC`, down = `metrics.${name(key)} DESC`;
    setQuery("order", order === up ? down : order === down ? "" : up);
  };
  const sorted = (/** @type {string} */ key) => (order === `metrics.${name(key)} ASC` ? "ascending" : order === `metrics.${name(key)} DESC` ? "descending" : "none");
  return html`<div class="scroll"><table class="rows" aria-label="Tracking runs"><thead><tr><th>Compare</th><th>Run</th><th>Status</th><th>Began</th><th class="number">Took</th>
      ${some.metrics.map((key) => html`<th key=${`m${key}`} class="number" aria-sort=${sorted(key)}><button class="plain" onClick=${() => turn(key)} title=${`Order by ${key}`}>${key}${{ ascending: " ↑", descending: " ↓", none: "" }[sorted(key)]}</button></th>`)}
      ${some.params.map((key) => html`<th key=${`p${key}`}>${key}</th>`)}</tr></thead>
    <tbody>${runs.map((run) => {
      const [glyph, kind] = STATUS[run.status] ?? ["◌", "pending"];
      return html`<tr key=${run.id}><td><input type="checkbox" aria-label=${`Compare ${run.name}`} checked=${chosen.includes(run.id)} onChange=${() => choose(run.id)} /></td>
        <td dir="auto" title=${run.id}>${run.flow_run_id ? html`<a href=${to("runs", run.flow_run_id)}>${run.name}</a>` : run.name}</td>
        <td><span class="state" data-kind=${kind}><i aria-hidden="true">${glyph}</i>${run.status}</span></td>
        <td><${When} at=${run.started_at} /></td><td class="number">${span(run.duration_s)}</td>
        ${some.metrics.map((key) => html`<td key=${`m${key}`} class="number">${shown(run.metrics[key])}</td>`)}
        ${some.params.map((key) => html`<td key=${`p${key}`} dir="auto" title=${run.params[key]}>${run.params[key]}</td>`)}</tr>`;
    })}</tbody></table></div>
    ${hidden > 0 && html`<p><button onClick=${() => setWide(true)}>Show ${hidden} more columns</button></p>`}`;
}
