/** Runs as rows of a table. */
import { html } from "../lib/html.js";
import { plain } from "../lib/names.js";
import { go, to } from "../lib/route.js";
import { hasEnded } from "../lib/states.js";
import { State } from "./state.js";
import { Took, When } from "./when.js";

/** Move the focus between rows by the arrow keys; other keys are commands of the interface. */
function move(/** @type {KeyboardEvent} */ event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const row = event.target instanceof HTMLElement ? event.target.closest("tr[tabindex]") : null;
  if (!step || !row || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
  if (next instanceof HTMLElement) next.focus();
  event.preventDefault();
}

/** `due` shows only when they are to begin, `progress` how far they are. @param {{runs: (Api.RunRow | Api.RunningRow)[], label: string, due?: boolean, progress?: boolean}} props */
export function RunTable({ runs, label, due = false, progress = false }) {
  return html`<div class="scroll"><table class="rows" aria-label=${label} onKeyDown=${move}>
    <thead><tr>${!due && html`<th>State</th>`}<th>Run</th><th>Flow or deployment</th><th>${due ? "Due" : "When"}</th>
      ${!due && html`<th class="number">Took</th><th>${progress ? "Task runs" : "What happened"}</th>`}</tr></thead>
    <tbody>${runs.map((run) => html`<${Row} key=${run.id} run=${run} due=${due} progress=${progress} />`)}</tbody>
  </table></div>`;
}

/** @param {{run: Api.RunRow | Api.RunningRow, due: boolean, progress: boolean}} props */
function Row({ run, due, progress }) {
  const address = to("runs", run.id);
  return html`<tr tabindex="0" onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && go(address)}>
    ${!due && html`<td><${State} state=${run.state} /></td>`}
    <td><a href=${address} dir="auto" title=${run.name}>${run.name}</a></td>
    <td dir="auto" title=${run.deployment ?? run.flow}>${run.deployment ?? run.flow}</td>
    <td><${When} at=${due || !run.started_at ? run.expected_at : run.started_at} /></td>
    ${!due && html`<td class="number"><${Took} run=${run} /></td>${progress ? html`<td><${Progress} run=${run} /></td>` : html`<td class="quiet" dir="auto" title=${run.message}>${said(run)}</td>`}`}
  </tr>`;
}

/** How many of the task runs so far have ended. @param {{run: Api.RunningRow}} props */
function Progress({ run }) {
  if (!run.n_tasks) return html`<span class="quiet">none yet</span>`;
  const words = `${run.n_done.toLocaleString("en")} of ${run.n_tasks.toLocaleString("en")} done`;
  return html`<progress max=${run.n_tasks} value=${run.n_done} aria-label=${`${run.name}: ${words}`} /> ${words}`;
}

/** Give the message of a run, where it says more than the state. */
export function said(/** @type {Api.RunRow} */ run) {
  return hasEnded(run.state) || run.state === "Late" ? plain(run.message) : "";
}
