/** The tasks of a run by name; each opens to its task runs, by pages and by state. */
import { useEffect } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { called } from "../lib/names.js";
import { useMore } from "../lib/pages.js";
import { place, setQuery, to } from "../lib/route.js";
import { ORDER } from "../lib/states.js";
import { useView } from "../lib/view.js";
import { Failure, Skeleton } from "./notices.js";
import { Share, State } from "./state.js";
import { Took } from "./when.js";

const PAGE = 50;

/** @param {{run: any, counts: any[]}} props */
export function Tasks({ run, counts }) {
  const { query } = place.value;
  const asked = query.get("task") ?? "";
  const group = query.get("group") ?? "";
  /** Open the task runs of a task, or close them. */
  function turn(/** @type {any} */ one, /** @type {boolean} */ isOpen) {
    setQuery("state", "");
    setQuery("group", isOpen ? "" : (one.group ?? ""));
    setQuery("task", isOpen ? "" : one.task);
  }
  return html`<div class="scroll"><table class="rows" aria-label="Tasks by name">
    <thead><tr><th>Task</th><th class="number">Runs</th><th>States</th></tr></thead>
    <tbody>${counts.map((one) => {
      const isOpen = one.task === asked && (one.group ?? "") === group;
      return html`<tr key=${`${one.task}/${one.group}`}>
        <td dir="auto"><button class="plain" aria-expanded=${isOpen} onClick=${() => turn(one, isOpen)}>${isOpen ? "▾" : "▸"} ${one.task}</button>${one.group && html` <span class="quiet">mapped</span>`}</td>
        <td class="number">${one.total.toLocaleString("en")}</td>
        <td><${Share} states=${one.states} label=${one.task} /></td></tr>
        ${isOpen && html`<tr key="open" class="open"><td colspan="3"><${TaskRuns} run=${run} count=${one} /></td></tr>`}`;
    })}</tbody></table></div>`;
}

/** @param {{run: any, count: any}} props */
function TaskRuns({ run, count }) {
  const state = place.value.query.get("state") ?? "";
  const path = withQuery(`api/ui/runs/${run.id}/tasks`, { task: count.task, group: count.group ?? "", state, limit: PAGE });
  const { data, error, again } = useView(path, (event) => event.kind.startsWith("task-") && event.data.run_id === run.id, 500);
  return html`<nav class="facets" aria-label=${`States of ${count.task}`}>
      <button aria-pressed=${!state} onClick=${() => setQuery("state", "")}>All <b>${count.total.toLocaleString("en")}</b></button>
      ${ORDER.filter((one) => count.states[one]).map((one) => html`<button key=${one} aria-pressed=${one === state} onClick=${() => setQuery("state", one)}><${State} state=${one} /> <b>${count.states[one].toLocaleString("en")}</b></button>`)}</nav>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} rows=${3} />`}
    ${data && html`<${Pages} key=${path} run=${run} path=${path} first=${data} />`}`;
}

/** @param {{run: any, path: string, first: any}} props */
function Pages({ run, path, first }) {
  const { items, next, error, load } = useMore(path, first, "no");
  useEffect(() => {
    if (!items.length && next && !error) void load(); // a page without any may come before one with some
  }, [next]);
  return html`<table class="rows" aria-label="Task runs"><thead><tr><th class="number">No.</th><th>State</th><th>Task run</th><th class="number">Attempt</th><th class="number">Took</th><th>Message</th></tr></thead>
      <tbody>${items.map((one) => html`<tr key=${one.no}><td class="number">${one.no}</td><td><${State} state=${one.state} /></td>
        <td><a href=${to("runs", run.id, "tasks", String(one.no))} dir="auto" title=${one.name}>${called(one.name)}</a></td><td class="number">${one.attempt}</td>
        <td class="number"><${Took} run=${one} /></td><td class="quiet" dir="auto" title=${one.message}>${one.message}</td></tr>`)}</tbody></table>
    ${!items.length && html`<p class="quiet">${next ? "None among those looked at so far." : "No task run is in this state."}</p>`}
    ${error && html`<${Failure} error=${error} again=${load} />`}
    ${next && html`<button class="more" onClick=${load}>Show more task runs</button>`}`;
}
