/** One run: what it is, what went wrong, its tasks, graph, log lines, metrics, artifacts, history and code. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { act, actsOf } from "../lib/acts.js";
import { withQuery } from "../lib/api.js";
import { offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { titled } from "../lib/names.js";
import { go, place, setQuery, to } from "../lib/route.js";
import { isBad } from "../lib/states.js";
import { full } from "../lib/time.js";
import { shown as metric } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Artifacts } from "../parts/artifacts.js";
import { Broken, CodeFacts, Others } from "../parts/broken.js";
import { Confirm } from "../parts/dialog.js";
import { Lazy } from "../parts/lazy.js";
import { Logs } from "../parts/logs.js";
import { Code, coded, Copy, Failure, Skeleton } from "../parts/notices.js";
import { RunTable } from "../parts/runs.js";
import { State } from "../parts/state.js";
import { Tasks } from "../parts/tasks.js";
import { Took, When } from "../parts/when.js";

const answer = async () => (await import("../parts/answer.js")).Answer;
const graph = async () => (await import("../parts/graph.js")).Graph;
const radar = async () => (await import("../parts/radar.js")).Radar;
const timeline = async () => (await import("../parts/timeline.js")).Timeline;

/** @typedef {{name: string, words: string, n?: number, show: () => any}} Tab */

/** Begins anew where a retry goes on. @type {import("../lib/acts.js").Act} */
const FORM = { words: "Run with…", keys: "w", path: "" };

/** @param {{id: string}} props */
export function Run({ id }) {
  const shown = useRef({ id, root_id: "" }); // an address may name a run by the beginning of its id, or by its name
  const { data, error, again } = useView(`api/ui/runs/${encodeURIComponent(id)}`, (/** @type {any} */ event) => {
    const known = new Set([id, shown.current.id]);
    if (event.kind === "run-dropped" && event.data.run_id === shown.current.root_id) return true; // with all that it called
    return event.kind !== "logged" && (known.has(event.data?.run_id) || known.has(event.data?.parent_id) || known.has(event.data?.flow_run_id));
  });
  if (!data) return error ? html`<h1 dir="auto">${id}</h1><${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  shown.current = data.run;
  if (/** @type {any} */ (error)?.status === 404) return html`<${Gone} run=${data.run} />`;
  return html`<${Page} data=${data} error=${error} again=${again} />`;
}

/** A run that was there, and is no more. @param {{run: any}} props */
function Gone({ run }) {
  return html`<p class="crumbs"><a href=${to("runs")}>Runs</a> / <a href=${to("flows", run.flow)} dir="auto">${run.flow}</a></p><h1 dir="auto">${run.name}</h1>
    <p class="notice" role="alert">This run was deleted while its page was open, with its log lines, results and artifacts. <a href=${to("runs")}>All runs</a></p>`;
}

/** Give the address of the form for one more run of the deployment of a run. */
function formOf(/** @type {any} */ run) {
  const { flow, name } = titled(run.deployment);
  return withQuery(to("deployments", flow, name), { form: "run", like: run.id });
}

/** @param {{data: any, error: any, again: () => void}} props */
function Page({ data, error, again }) {
  const { run, parent } = data;
  const [jump, setJump] = useState(0);
  const [refusal, setRefusal] = useState(/** @type {any} */ (null));
  const [asked, setAsked] = useState(/** @type {import("../lib/acts.js").Act | null} */ (null));
  const tabs = tabsOf(data, jump);
  const wanted = place.value.query.get("tab") ?? "";
  const tab = tabs.find((one) => one.name === wanted) ?? tabs[0];
  const questions = run.state === "Paused" ? data.inputs.filter((/** @type {any} */ one) => one.value_schema && !one.given_at) : [];
  const repeats = data.others !== null && run.ended;
  const [first, others] = [true, false].map((isMain) => actsOf(run).filter((one) => !!one.main === isMain && (!questions.length || one.words !== "Go on")));
  const acts = [...(first ?? []), ...(repeats ? [FORM] : []), ...(others ?? [])];
  async function carryOut(/** @type {import("../lib/acts.js").Act} */ one) {
    await act(run, one);
    setRefusal(null);
    if (one.final) go(to("runs"));
    else again();
  }
  const begin = (/** @type {import("../lib/acts.js").Act} */ one) => (one === FORM ? go(formOf(run)) : one.sure ? setAsked(one) : void carryOut(one).catch(setRefusal));
  const bad = data.counts.some((/** @type {any} */ one) => Object.keys(one.states).some(isBad));
  useLayoutEffect(() => offer([
    ...acts.map((one) => ({ keys: one.keys, words: one === FORM ? "Run it once more, with a form" : `${one.words} this run`, group: "Run", run: () => begin(one) })),
    ...tabs.map((one, at) => ({ keys: String((at + 1) % 10), words: `Show ${one.words.toLowerCase()}`, group: "Run", run: () => setQuery("tab", one.name) })),
    ...(bad ? [{ keys: "f", words: "Show the first failure in the graph", group: "Run", run: () => (setQuery("tab", "graph"), setJump((n) => n + 1)) }] : []),
    { keys: "l", words: "Show the log", group: "Run", run: () => setQuery("tab", "logs") },
    { keys: ".", words: "Copy the id", group: "Run", run: () => void navigator.clipboard.writeText(run.id) },
  ]), [run.id, run.state, tabs.map((one) => one.name).join(), bad, repeats]);
  return html`
    <header class="head">
      <p class="crumbs"><a href=${to("runs")}>Runs</a> / ${parent && html`<a href=${to("runs", parent.id)} dir="auto">${parent.name}</a> of <a href=${to("flows", parent.flow)} dir="auto">${parent.flow}</a> / `}<a href=${to("flows", run.flow)} dir="auto">${run.deployment ?? run.flow}</a></p>
      <div class="title"><h1 dir="auto">${run.name}</h1><span aria-live="polite"><${State} state=${run.state} /></span>
        <span class="actions">${acts.map((one) => html`<button key=${one.words} class=${one.main ? "main" : ""} title=${one === FORM ? "Makes a new run of the deployment, after its parameters can be changed" : undefined} onClick=${() => begin(one)}>${one.words}</button>`)}</span></div>
      <p class="facts">
        ${run.started_at && html`<span><${Took} run=${run} /></span>`}
        <span>${run.started_at ? html`began <${When} at=${run.started_at} />` : html`due <${When} at=${run.due_at ?? run.expected_at} />`}</span>
        ${run.epoch > 1 && html`<span>taken up ${run.epoch - 1} ${run.epoch === 2 ? "time" : "times"}</span>`}
        ${run.attempt > 1 && html`<span>attempt ${run.attempt}</span>`}
        ${run.n_reused > 0 && html`<span>${run.n_reused.toLocaleString("en")} results reused</span>`}
        ${run.worker && html`<span>worker <a href=${to("workers")} dir="auto">${data.worker_name ?? run.worker.slice(0, 12)}</a></span>`}
        <span><code>${run.id}</code> <${Copy} text=${run.id} words="Copy id" /></span>
      </p>
    </header>
    ${asked && html`<${Confirm} title=${asked.sure} act=${asked.words} run=${() => carryOut(asked)} close=${() => setAsked(null)} />`}
    ${refusal && html`<${Failure} error=${refusal} />`}
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${data.why && html`<p class="notice">It waits: ${coded(data.why)}</p>`}
    ${questions.map((/** @type {any} */ input) => html`<${Lazy} key=${input.key} load=${answer} props=${{ run, input, done: again }} />`)}
    ${isBad(run.state) && html`<${Broken} error=${run.error} message=${run.message} state=${run.state} lines=${data.logs} brief=${tab?.name !== "tasks"} aside=${html`<${Others} run=${run} others=${data.others} />`}>
      <p class="quiet">In a terminal: <code>ostinato retry ${/^[\w-]+$/.test(run.name) ? run.name : run.id}</code></p><//>`}
    <div role="tablist" class="tabs" aria-label="Parts of the run">${tabs.map((one) => html`<button key=${one.name} role="tab" id=${`tab-${one.name}`}
      aria-selected=${one === tab} aria-controls="panel" tabindex=${one === tab ? 0 : -1} onKeyDown=${step}
      onClick=${() => setQuery("tab", one.name)}>${one.words}${one.n !== undefined && html` <b>${one.n.toLocaleString("en")}</b>`}</button>`)}</div>
    <div role="tabpanel" id="panel" aria-labelledby=${`tab-${tab?.name}`} tabindex="0">${tab?.show()}</div>`;
}

/** Go to the next or the last tab by the arrow keys. */
function step(/** @type {any} */ event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[/** @type {string} */ (event.key)];
  if (!by) return;
  const all = [...event.currentTarget.parentElement.children];
  const next = all[(all.indexOf(event.currentTarget) + by + all.length) % all.length];
  next.focus();
  next.click();
}

/**
 * Parts that have something to show.
 * @param {any} data
 * @param {number} jump
 * @returns {Tab[]}
 */
function tabsOf(data, jump) {
  const { run } = data;
  const total = data.counts.reduce((/** @type {number} */ n, /** @type {any} */ one) => n + one.total, 0);
  const calls = total > 0 || data.subflows.length > 0;
  const times = html`<${Lazy} key="timeline" load=${timeline} props=${{ key: run.id, run, counts: data.counts, history: data.history, subflows: data.subflows }} />`;
  return /** @type {Tab[]} */ ([
    total && { name: "tasks", words: "Tasks", n: total, show: () => html`<${Tasks} run=${run} counts=${data.counts} />${times}` },
    calls && { name: "graph", words: "Graph", show: () => html`<${Lazy} key="graph" load=${graph} props=${{ run, jump, n: total }} />` },
    { name: "logs", words: "Logs", show: () => html`<${Logs} key=${run.id} run=${run} lines=${data.logs} span=${data.log_span} />` },
    calls && { name: "radar", words: "Radar", show: () => html`<${Lazy} key="radar" load=${radar} props=${{ key: run.id, run }} />` },
    data.subflows.length && { name: "subflows", words: "Subflows", n: data.subflows.length, show: () => html`<${RunTable} runs=${data.subflows} label="Subflows" />${!total && times}` },
    data.artifacts.length && { name: "artifacts", words: "Artifacts", n: data.artifacts.length, show: () => html`<${Artifacts} found=${data.artifacts} />` },
    data.tracked.length && { name: "metrics", words: "Metrics", show: () => html`<${Metrics} run=${run} tracked=${data.tracked} />` },
    { name: "history", words: "History", show: () => html`<${History} run=${run} changes=${data.history} />` },
    { name: "code", words: "Code", show: () => html`<${CodeFacts} run=${run} />` },
    { name: "details", words: "Details", show: () => html`<${Details} run=${run} />` },
  ].filter(Boolean));
}

/** The newest values of what was tracked in the run. @param {{run: any, tracked: any[]}} props */
function Metrics({ run, tracked }) {
  return tracked.map((one) => html`<section key=${one.id}><h2><a href=${to("experiments", one.experiment, one.id)} dir="auto">${one.name}</a> <span class="quiet">in <a href=${to("experiments", one.experiment)} dir="auto">${one.experiment}</a>, ${one.status}${one.task_no && html`, by <a href=${to("runs", run.id, "tasks", String(one.task_no))}>task run ${one.task_no}</a>`}</span></h2>
    ${Object.keys(one.metrics).length ? html`<div class="scroll"><table class="rows pairs" aria-label=${`Metrics of ${one.name}`}><thead><tr><th>Metric</th><th class="number">Newest value</th></tr></thead>
      <tbody>${Object.entries(one.metrics).map(([key, value]) => html`<tr key=${key}><td dir="auto">${key}</td><td class="number" title=${value}>${metric(value)}${key in one.odd_since && html` <span class="quiet">since step ${one.odd_since[key].toLocaleString("en")}</span>`}</td></tr>`)}</tbody></table></div>` : html`<p class="quiet">No metric yet.</p>`}</section>`);
}

/** @param {{run: any, changes: any[]}} props */
function History({ run, changes }) {
  return html`<p><a href=${withQuery(to("events"), { run: run.id })}>All events of this run</a></p>
    <div class="scroll"><table class="rows" aria-label="History"><thead><tr><th>When</th><th>State</th><th class="number">Epoch</th><th class="number">Attempt</th><th>Message</th></tr></thead>
    <tbody>${changes.map((one, at) => html`<tr key=${at}><td><time datetime=${one.at}>${full(one.at)}</time></td><td><${State} state=${one.state} /></td>
      <td class="number">${one.epoch}</td><td class="number">${one.attempt}</td><td dir="auto">${one.message}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{run: any}} props */
function Details({ run }) {
  const facts = [
    ["Flow", run.flow], ["Deployment", run.deployment], ["Queue", run.queue], ["Schedule", run.schedule],
    ["Expected", full(run.expected_at)], ["Began", full(run.started_at)], ["Ended", full(run.ended_at)],
    ["Tags", run.tags.join(", ")], ["Made by", run.actor],
  ].filter(([, value]) => value);
  return html`<h2>Parameters</h2><${Code} text=${JSON.stringify(run.parameters, null, 2)} />
    ${run.result && html`<h2>Result</h2><${Code} text=${JSON.stringify(run.result, null, 2)} />`}
    <h2>Facts</h2><dl class="facts-list">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd dir="auto">${value}</dd></div>`)}</dl>`;
}
