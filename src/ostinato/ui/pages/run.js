/** One run: what it is, what went wrong, its tasks, log lines, artifacts and history. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { own } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { place, setQuery, to } from "../lib/route.js";
import { hasEnded, isBad } from "../lib/states.js";
import { full } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Artifacts } from "../parts/artifacts.js";
import { Graph } from "../parts/graph.js";
import { Logs } from "../parts/logs.js";
import { Code, Copy, Failure, Skeleton } from "../parts/notices.js";
import { RunTable } from "../parts/runs.js";
import { Share, State } from "../parts/state.js";
import { Timeline } from "../parts/timeline.js";
import { Took, When } from "../parts/when.js";

const LAST_LINES = 12;

/** @param {{id: string}} props */
export function Run({ id }) {
  const shown = useRef(id); // an address may name a run by the beginning of its id, or by its name
  const { data, error, again } = useView(`api/ui/runs/${encodeURIComponent(id)}`, (/** @type {any} */ event) => {
    const known = new Set([id, shown.current]);
    return known.has(event.data?.run_id) || known.has(event.data?.parent_id);
  });
  if (!data) return error ? html`<h1 dir="auto">${id}</h1><${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  shown.current = data.run.id;
  return html`<${Page} data=${data} error=${error} again=${again} />`;
}

/** @param {{data: any, error: any, again: () => void}} props */
function Page({ data, error, again }) {
  const { run } = data;
  const tabs = tabsOf(data);
  const asked = place.value.query.get("tab") ?? "";
  const tab = tabs.find((one) => one.name === asked) ?? tabs[0];
  const [said, setSaid] = useState("");
  const acts = actsOf(run);
  async function act(/** @type {{words: string, path: string, method?: string, sure?: string}} */ one) {
    if (one.sure && !confirm(one.sure)) return;
    try {
      await ask(`api/runs/${run.id}${one.path}`, { method: one.method ?? "POST", body: one.method ? undefined : {} });
      setSaid("");
      again();
    } catch (problem) {
      setSaid(problem instanceof Error ? problem.message : String(problem));
    }
  }
  useLayoutEffect(() => {
    own.value = [
      ...acts.map((one) => ({ keys: one.keys, words: `${one.words} this run`, group: "Run", run: () => void act(one) })),
      ...tabs.map((one, at) => ({ keys: String(at + 1), words: `Show ${one.words.toLowerCase()}`, group: "Run", run: () => setQuery("tab", one.name) })),
      { keys: ".", words: "Copy the id", group: "Run", run: () => void navigator.clipboard.writeText(run.id) },
    ];
    return () => void (own.value = []);
  }, [run.id, run.state, tabs.length]);
  return html`
    <header class="head">
      <p class="crumbs"><a href=${to("runs")}>Runs</a> / ${run.parent_id && html`<a href=${to("runs", run.parent_id)}>parent</a> / `}<span dir="auto">${run.deployment ?? run.flow}</span></p>
      <div class="title"><h1 dir="auto">${run.name}</h1><span aria-live="polite"><${State} state=${run.state} /></span>
        <span class="actions">${acts.map((one) => html`<button key=${one.words} class=${one.main ? "main" : ""} onClick=${() => act(one)}>${one.words}</button>`)}</span></div>
      <p class="facts">
        <span><${Took} run=${run} /></span>
        <span>${run.started_at ? html`began <${When} at=${run.started_at} />` : html`due <${When} at=${run.due_at ?? run.expected_at} />`}</span>
        ${run.epoch > 1 && html`<span>taken up ${run.epoch - 1} ${run.epoch === 2 ? "time" : "times"}</span>`}
        ${run.attempt > 1 && html`<span>attempt ${run.attempt}</span>`}
        ${run.n_reused > 0 && html`<span>${run.n_reused.toLocaleString("en")} results reused</span>`}
        ${run.worker && html`<span>worker <code>${run.worker.slice(0, 12)}</code></span>`}
        <span><code>${run.id}</code> <${Copy} text=${run.id} words="Copy id" /></span>
      </p>
    </header>
    ${said && html`<p class="notice bad" role="alert">${said}</p>`}
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${data.why && html`<p class="notice">It waits: ${data.why}</p>`}
    ${isBad(run.state) && html`<${Broken} run=${run} logs=${data.logs} />`}
    <div role="tablist" class="tabs" aria-label="Parts of the run">${tabs.map((one) => html`<button key=${one.name} role="tab" id=${`tab-${one.name}`}
      aria-selected=${one === tab} aria-controls="panel" tabindex=${one === tab ? 0 : -1} onKeyDown=${step}
      onClick=${() => setQuery("tab", one.name)}>${one.words}${one.n !== undefined && html` <b>${one.n.toLocaleString("en")}</b>`}</button>`)}</div>
    <div role="tabpanel" id="panel" aria-labelledby=${`tab-${tab.name}`} tabindex="0">${tab.show()}</div>`;
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

/** Parts that have something to show. */
function tabsOf(/** @type {any} */ data) {
  const { run } = data;
  const total = data.counts.reduce((/** @type {number} */ n, /** @type {any} */ one) => n + one.total, 0);
  return [
    total && { name: "tasks", words: "Tasks", n: total, show: () => html`<${Tasks} data=${data} />` },
    (total > 0 || data.subflows.length > 0) && { name: "graph", words: "Graph", n: undefined, show: () => html`<${Graph} run=${run} />` },
    { name: "logs", words: "Logs", n: undefined, show: () => html`<${Logs} key=${run.id} run=${run} lines=${data.logs} />` },
    data.subflows.length && { name: "subflows", words: "Subflows", n: data.subflows.length, show: () => html`<${RunTable} runs=${data.subflows} label="Subflows" />` },
    data.artifacts.length && { name: "artifacts", words: "Artifacts", n: data.artifacts.length, show: () => html`<${Artifacts} found=${data.artifacts} />` },
    { name: "history", words: "History", n: undefined, show: () => html`<${History} changes=${data.history} />` },
    { name: "details", words: "Details", n: undefined, show: () => html`<${Details} run=${run} />` },
  ].filter(Boolean);
}

/** What can be done to a run in this state. */
function actsOf(/** @type {any} */ run) {
  if (run.parent_id) return [];
  const acts = [];
  if (isBad(run.state) || run.state === "Cancelled") acts.push({ words: "Retry from failure", keys: "r", path: "/resume", main: true });
  if (run.state === "Paused") acts.push({ words: "Go on", keys: "r", path: "/resume", main: true });
  if (!hasEnded(run.state)) {
    if (run.state !== "Paused" && run.state !== "Cancelling") acts.push({ words: "Pause", keys: "", path: "/pause" });
    acts.push({ words: "Cancel", keys: "c", path: "/cancel", sure: `Cancel ${run.name}?` });
  }
  return acts;
}

/** What went wrong, on the first screen: the exception, the line, the last words. @param {{run: any, logs: any[]}} props */
function Broken({ run, logs }) {
  const error = run.error;
  return html`<section class="broken" aria-label="What went wrong">
    <h2 tabindex="0">${error ? html`<code>${error.type}</code> <span dir="auto">${error.message}</span>` : html`<span dir="auto">${run.message || run.state}</span>`}</h2>
    ${error && html`<p>${error.task && html`in task <b dir="auto">${error.task}</b>`} ${error.file && html`<code>${error.file}:${error.line}</code>`}
      ${error.inputs && html`<br />called with <code dir="auto">${error.inputs}</code>`}</p>`}
    ${error?.hint && html`<p>${error.hint}</p>`}
    ${error?.trace && html`<pre class="trace" tabindex="0" aria-label="Traceback">${error.trace}</pre>`}
    ${logs.length > 0 && html`<details open><summary>Last log lines</summary><pre class="trace" tabindex="0" aria-label="Last log lines">${logs.slice(-LAST_LINES).map((line) => line.text).join("\n")}</pre></details>`}
    <p class="quiet">In a terminal: <code>ostinato retry ${/^[\w-]+$/.test(run.name) ? run.name : run.id}</code></p>
  </section>`;
}

/** Tasks by name, mapped ones as one line, and when each ran. @param {{data: any}} props */
function Tasks({ data }) {
  const { run, counts } = data;
  return html`<div class="scroll"><table class="rows" aria-label="Tasks by name">
      <thead><tr><th>Task</th><th class="number">Runs</th><th>States</th></tr></thead>
      <tbody>${counts.map((/** @type {any} */ one) => html`<tr key=${`${one.task}/${one.group}`}>
        <td dir="auto">${one.task}${one.group && html` <span class="quiet">mapped</span>`}</td>
        <td class="number">${one.total.toLocaleString("en")}</td>
        <td><${Share} states=${one.states} label=${one.task} /></td></tr>`)}</tbody>
    </table></div>
    <${Timeline} key=${run.id} run=${run} counts=${counts} />`;
}

/** @param {{changes: any[]}} props */
function History({ changes }) {
  return html`<div class="scroll"><table class="rows" aria-label="History"><thead><tr><th>When</th><th>State</th><th class="number">Epoch</th><th class="number">Attempt</th><th>Message</th></tr></thead>
    <tbody>${changes.map((one, at) => html`<tr key=${at}><td><time datetime=${one.at}>${full(one.at)}</time></td><td><${State} state=${one.state} /></td>
      <td class="number">${one.epoch}</td><td class="number">${one.attempt}</td><td dir="auto">${one.message}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{run: any}} props */
function Details({ run }) {
  const facts = useMemo(() => [
    ["Flow", run.flow], ["Deployment", run.deployment], ["Queue", run.queue], ["Schedule", run.schedule],
    ["Expected", full(run.expected_at)], ["Began", full(run.started_at)], ["Ended", full(run.ended_at)],
    ["Tags", run.tags.join(", ")], ["Made by", run.actor], ["Code version", run.version], ["File", run.source.file],
    ["Function", run.source.function], ["Interpreter", run.source.interpreter],
  ].filter(([, value]) => value), [run]);
  return html`<h2>Parameters</h2><${Code} text=${JSON.stringify(run.parameters, null, 2)} />
    ${run.result && html`<h2>Result</h2><${Code} text=${JSON.stringify(run.result, null, 2)} />`}
    <h2>Facts</h2><dl class="facts-list">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd dir="auto">${value}</dd></div>`)}</dl>`;
}
