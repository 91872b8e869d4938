/** Runs as rows of a table, moved through by keys. */
import { html } from "../lib/html.js";
import { go, to } from "../lib/route.js";
import { hasEnded } from "../lib/states.js";
import { State } from "./state.js";
import { Took, When } from "./when.js";

/** Move the focus between rows. */
function move(/** @type {KeyboardEvent} */ event) {
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  const row = event.target instanceof HTMLElement ? event.target.closest("tr[tabindex]") : null;
  if (!step || !row || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
  if (next instanceof HTMLElement) next.focus();
  event.preventDefault();
  event.stopPropagation();
}

/** @param {{runs: any[], label: string, due?: boolean}} props */
export function RunTable({ runs, label, due = false }) {
  return html`<div class="scroll"><table class="rows" aria-label=${label} onKeyDown=${move}>
    <thead><tr><th>State</th><th>Run</th><th>Flow or deployment</th><th>${due ? "Due" : "When"}</th>
      ${!due && html`<th class="number">Took</th>`}<th>What happened</th></tr></thead>
    <tbody>${runs.map((run) => html`<${Row} key=${run.id} run=${run} due=${due} />`)}</tbody>
  </table></div>`;
}

/** @param {{run: any, due: boolean}} props */
function Row({ run, due }) {
  const address = to("runs", run.id);
  return html`<tr tabindex="0" onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && go(address)}>
    <td><${State} state=${run.state} /></td>
    <td><a href=${address} dir="auto" title=${run.name}>${run.name}</a></td>
    <td dir="auto" title=${run.deployment ?? run.flow}>${run.deployment ?? run.flow}</td>
    <td><${When} at=${due || !run.started_at ? run.expected_at : run.started_at} /></td>
    ${!due && html`<td class="number"><${Took} run=${run} /></td>`}
    <td class="quiet" dir="auto" title=${run.message}>${hasEnded(run.state) || run.state === "Late" ? run.message : ""}</td>
  </tr>`;
}
