/** One tracking run: what went in, what came out, each metric over its steps, its files, and what it belongs to. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { called } from "../lib/names.js";
import { to } from "../lib/route.js";
import { full, span } from "../lib/time.js";
import { bytes, cell, metric } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Charts } from "../parts/compared.js";
import { Files } from "../parts/files.js";
import { Copy, Failure, Skeleton } from "../parts/notices.js";
import { Status } from "../parts/status.js";
import { When } from "../parts/when.js";

const NOTE = "mlflow.note.content";
const MOST_SHOWN = 40, MORE = 200;
const CONCERNS = new Set(["tracking-changed", "tags-logged", "params-logged", "metrics-logged", "file-logged", "input-logged"]);

/** @param {{experiment: string, id: string}} props */
export function TrackingRun({ experiment, id }) {
  const { data, error, again } = useView(`api/ui/tracking-runs/${encodeURIComponent(id)}`, (event) => (CONCERNS.has(event.kind) && event.data?.run_id === id) || event.kind.startsWith("version-"), 1000);
  const place = data?.experiment || experiment;
  const crumbs = html`<p class="crumbs"><a href=${to("experiments")}>Experiments</a> / <a href=${to("experiments", place)} dir="auto">${place}</a></p>`;
  if (!data) return html`${crumbs}<h1>Tracking run</h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  const { run } = data;
  const newest = (/** @type {string} */ key, /** @type {any} */ value) => html`${metric(value)}${key in data.odd_since && html` <span class="quiet">since step ${data.odd_since[key].toLocaleString("en")}</span>`}`;
  const metrics = Object.keys(data.metrics), params = Object.entries(run.params);
  const tags = Object.entries(run.tags).filter(([key]) => key !== NOTE);
  return html`${crumbs}
    <div class="title"><h1 dir="auto">${run.name}</h1><${Status} status=${run.status} /></div>
    <p class="facts"><span>began <${When} at=${run.started_at} /></span>${run.duration_s !== null && html`<span>took ${span(run.duration_s)}</span>`}<span dir="auto">by ${run.user || "nobody known"}</span>
      <span><code>${run.id}</code> <${Copy} text=${run.id} words="Copy id" /></span></p>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    <${Note} key=${run.id} run=${run} again=${again} />
    <${Links} data=${data} />
    ${metrics.length > 0 && html`<h2>Metrics <span class="quiet">${metrics.length.toLocaleString("en")}</span></h2><${Pairs} label="Metrics" pairs=${Object.entries(data.metrics)} row=${newest} />
      <${Charts} metrics=${metrics} runs=${[run]} />`}
    ${params.length > 0 && html`<h2>Parameters <span class="quiet">${params.length.toLocaleString("en")}</span></h2><${Pairs} label="Parameters" pairs=${params} />`}
    ${tags.length > 0 && html`<h2>Tags</h2><${Pairs} label="Tags" pairs=${tags} />`}
    ${data.files.length > 0 && html`<h2>Files</h2><${Files} files=${data.files} more=${data.more_files} run=${run.id} />`}
    ${!metrics.length && !params.length && !data.files.length && html`<p class="quiet">Nothing is logged yet.</p>`}`;
}

/** What somebody noted about a run. @param {{run: any, again: () => void}} props */
function Note({ run, again }) {
  const [open, setOpen] = useState(false);
  const { attempt, error, busy } = useAttempt();
  const note = run.tags[NOTE] ?? "";
  async function save(/** @type {any} */ event) {
    event.preventDefault();
    const text = event.currentTarget.elements.note.value.trim() || null;
    if (!(await attempt(() => ask(`api/tracking-runs/${run.id}`, { method: "POST", body: { tags: { [NOTE]: text } } })))) return;
    setOpen(false);
    again();
  }
  if (!open) return html`<p class="note">${note && html`<span dir="auto">${note}</span> `}<button onClick=${() => setOpen(true)}>${note ? "Change the note" : "Add a note"}</button></p>`;
  return html`<form class="note" onSubmit=${save}>${error && html`<${Failure} error=${error} />`}
    <textarea name="note" aria-label="Note" rows="4" dir="auto" ref=${focusOn} defaultValue=${note} /><p><button class="main" disabled=${busy}>Save</button> <button type="button" onClick=${() => setOpen(false)}>Leave it</button></p></form>`;
}

/** What a run belongs to, used and made. @param {{data: any}} props */
function Links({ data }) {
  const { run } = data;
  const facts = [
    ["Flow run", run.flow_run_id && (data.flow_run ? html`<a href=${to("runs", run.flow_run_id)} dir="auto">${data.flow_run}</a>` : html`<span class="quiet">gone: <code>${run.flow_run_id}</code></span>`)],
    ["Task run", data.task_run && html`<a href=${to("runs", run.flow_run_id, "tasks", run.task_run_id.split("/")[1])} dir="auto" title=${data.task_run}>${called(data.task_run)}</a>`],
    ["Within", run.parent_id && html`<a href=${to("experiments", data.experiment, run.parent_id)} dir="auto">${data.parent || run.parent_id}</a>`],
    ["Code", (run.source || run.version) && html`<code>${run.source}</code> <span class="quiet">${run.version && `version ${run.version}`}</span>`],
    ["Data", data.inputs.length > 0 && html`<ul>${data.inputs.map((/** @type {any} */ one) => html`<li key=${`${one.digest}${one.context}`}><a href=${to("datasets", one.name, one.digest)} dir="auto">${one.name}</a> <code>${one.digest.slice(0, 12)}</code> <span class="quiet">${one.context}</span></li>`)}</ul>`],
    ["Models", data.models.length > 0 && html`<ul>${data.models.map((/** @type {any} */ one) => html`<li key=${one.id}><span dir="auto">${one.name}</span> <span class="quiet">${[one.flavor, bytes(one.size_bytes)].filter(Boolean).join(", ")}</span> <code>models:/${one.id}</code></li>`)}</ul>`],
    ["Registered as", data.versions.length > 0 && html`<ul>${data.versions.map((/** @type {any} */ one) => html`<li key=${`${one.name}/${one.version}`}><a href=${to("models", one.name, String(one.version))} dir="auto">${one.name} ${one.version}</a> ${one.aliases.map((/** @type {string} */ alias) => html`<span key=${alias} class="alias">@${alias}</span> `)}</li>`)}</ul>`],
    ["Ended", run.ended_at && full(run.ended_at)],
  ].filter(([, value]) => value);
  return html`<dl class="facts-list">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Names with values; of very many those that are looked for. @param {{label: string, pairs: [string, any][], row?: (key: string, value: any) => any}} props */
function Pairs({ label, pairs, row = (key, value) => cell(value) }) {
  const [text, setText] = useState("");
  const [most, setMost] = useState(MOST_SHOWN);
  const found = pairs.filter(([key]) => key.toLowerCase().includes(text.toLowerCase()));
  return html`${pairs.length > 20 && html`<p><input type="search" aria-label=${`Search ${label.toLowerCase()}`} placeholder="Part of a name" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></p>`}
    <div class="scroll"><table class="rows pairs" aria-label=${label}><tbody>${found.slice(0, most).map(([key, value]) => html`<tr key=${key}><th scope="row" dir="auto" title=${key}>${key}</th><td dir="auto" title=${value}>${row(key, value)}</td></tr>`)}</tbody></table></div>
    ${found.length > most && html`<button class="more" onClick=${() => setMost(most + MORE)}>Show more of ${found.length.toLocaleString("en")}</button>`}`;
}
