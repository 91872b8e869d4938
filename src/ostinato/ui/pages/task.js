/** One task run: its state, what went into it and what came out, what went wrong, its attempts, its log lines. */
import { useLayoutEffect } from "preact/hooks";
import { offer } from "../lib/commands.js";
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { called } from "../lib/names.js";
import { go, to } from "../lib/route.js";
import { isBad } from "../lib/states.js";
import { clock, full } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Broken } from "../parts/broken.js";
import { Logs } from "../parts/logs.js";
import { Code, Copy, Failure, Skeleton } from "../parts/notices.js";
import { State } from "../parts/state.js";
import { Took, When } from "../parts/when.js";

/** @param {{id: string, no: string}} props */
export function Task({ id, no }) {
  const { data, error, again } = useView(`api/ui/runs/${encodeURIComponent(id)}/tasks/${encodeURIComponent(no)}`, (event) => event.kind.startsWith("task-") && String(event.data.no) === no);
  if (!data) return error ? html`<h1>Task run ${no}</h1><${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  return html`<${Page} data=${data} error=${error} again=${again} />`;
}

/** @param {{data: any, error: any, again: () => void}} props */
function Page({ data, error, again }) {
  const { task } = data;
  const run = { id: data.run_id };
  const other = (/** @type {number} */ no) => to("runs", data.run_id, "tasks", String(no));
  useLayoutEffect(() => offer([
    { keys: "[", words: "Go to the task run before", group: "Task run", run: () => task.no > 1 && go(other(task.no - 1)) },
    { keys: "]", words: "Go to the next task run", group: "Task run", run: () => go(other(task.no + 1)) },
    { keys: "^", words: "Go to its run", group: "Task run", run: () => go(to("runs", data.run_id)) },
  ]), [data.run_id, task.no]);
  const all = withQuery(to("runs", data.run_id), { tab: "tasks", task: task.task, group: task.group ?? "" });
  return html`<header class="head">
      <p class="crumbs"><a href=${to("runs")}>Runs</a> / <a href=${to("runs", data.run_id)} dir="auto">${data.run_name}</a> / <a href=${all} dir="auto">${task.task}</a></p>
      <div class="title"><h1 dir="auto" title=${task.name}>${called(task.name)}</h1><span aria-live="polite"><${State} state=${task.state} /></span></div>
      <p class="facts"><span><${Took} run=${task} /></span>
        ${task.started_at ? html`<span>began <${When} at=${task.started_at} /></span>` : html`<span>called <${When} at=${data.created_at} /></span>`}
        ${task.attempt > 1 && html`<span>attempt ${task.attempt}</span>`}${task.epoch > 1 && html`<span>epoch ${task.epoch}</span>`}
        <span>number ${task.no} in <a href=${to("flows", data.flow)} dir="auto">${data.flow}</a></span>
        ${data.parent && html`<span>called by <a href=${other(data.parent.no)} dir="auto" title=${data.parent.name}>${called(data.parent.name)}</a></span>`}
        ${task.tags.length > 0 && html`<span dir="auto">${task.tags.join(", ")}</span>`}
        <span><code dir="auto">${task.name}</code> <${Copy} text=${task.name} words="Copy name" /></span></p>
    </header>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${isBad(task.state) && html`<${Broken} error=${task.error} message=${task.message} state=${task.state} lines=${[]} />`}
    ${!isBad(task.state) && task.message && html`<p class="notice" dir="auto">${task.message}</p>`}
    <h2>What went in</h2>
    ${data.inputs.length ? html`<ul class="calls">${data.inputs.map((/** @type {any} */ one) => html`<li key=${one.run_id ?? one.no ?? one.group}><${Call} run=${run} one=${one} /></li>`)}</ul>` : html`<p class="quiet">No result of another task.</p>`}
    ${data.n_inputs > data.inputs.length && html`<p class="quiet">${(data.n_inputs - data.inputs.length).toLocaleString("en")} more.</p>`}
    ${task.result && html`<h2>What came out</h2>${task.result.value === undefined ? html`<p>A value of ${task.result.size_bytes.toLocaleString("en")} bytes, kept as ${task.result.kind}${task.result.lost && `; ${task.result.lost}`}.</p>` : html`<${Code} text=${JSON.stringify(task.result.value, null, 2)} />`}`}
    <h2>What happened</h2><${Steps} data=${data} />
    <h2>Log</h2><${Logs} key=${`${data.run_id}/${task.no}`} run=${run} lines=${data.logs} span=${data.log_span} task=${task.no} />`;
}

/** A call whose result went in. @param {{run: any, one: any}} props */
function Call({ run, one }) {
  if (one.kind === "flow") return html`<a href=${to("runs", one.run_id)} dir="auto">${one.name}</a> <${State} state=${one.state} /> <span class="quiet">subflow</span>`;
  if (one.kind === "map") return html`<a href=${withQuery(to("runs", run.id), { tab: "tasks", task: one.task, group: one.group })} dir="auto">${one.name}</a> <span class="quiet">all results of a map</span>`;
  return html`<a href=${to("runs", run.id, "tasks", String(one.no))} dir="auto" title=${one.name}>${called(one.name)}</a> <${State} state=${one.state} />`;
}

/** @param {{data: any}} props */
function Steps({ data }) {
  const { task, steps } = data;
  return html`${!data.steps_whole && html`<p class="quiet">Some of its steps are not kept any more, or lie too far apart to be looked through; it is ${task.state} in attempt ${task.attempt} now.</p>`}
    ${steps.length > 0 && html`<div class="scroll"><table class="rows" aria-label="History of the task run"><thead><tr><th>When</th><th>State</th><th class="number">Epoch</th><th class="number">Attempt</th><th>Message</th></tr></thead>
      <tbody>${steps.map((/** @type {any} */ one, /** @type {number} */ at) => html`<tr key=${at}><td><time datetime=${one.at} title=${full(one.at)}>${clock(one.at)}</time></td><td><${State} state=${one.state} /></td>
        <td class="number">${one.epoch}</td><td class="number">${one.attempt}</td><td dir="auto">${one.message}</td></tr>`)}</tbody></table></div>`}`;
}
