/** Deployments: what runs when, the next times, the last run, and a run of it now. */
import { ask, withQuery } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { launch } from "../lib/launch.js";
import { useMore } from "../lib/pages.js";
import { go, to } from "../lib/route.js";
import { useView } from "../lib/view.js";
import { Locked } from "../parts/locked.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { State } from "../parts/state.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["deployment-set", "deployment-removed", "run-created", "run-moved", "run-dropped"]);

export function Deployments() {
  const { data, error, again } = useView("api/ui/deployments", (event) => CONCERNS.has(event.kind), 1000);
  return html`<h1>Deployments</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title="No deployment yet" code=${"ostinato deploy FILE:FLOW --name NAME --cron '0 6 * * *'"}>
      <p>A deployment is a flow that workers run, by a schedule or when asked.</p><//>`}
    ${data && data.items.length > 0 && html`<${Locked} may=${data.may} needs="run" words="run or pause what is here" />
      <${Table} first=${data} may=${data.may} again=${again} />`}`;
}

/** @param {{first: any, may: string[], again: () => void}} props */
function Table({ first, may, again }) {
  const list = useMore("api/ui/deployments", first);
  return html`<div class="scroll"><table class="rows tight" aria-label="Deployments">
      <thead><tr><th>Deployment</th><th>When</th><th>Next</th><th>Last run</th><th class="number">Actions</th></tr></thead>
      <tbody>${list.items.map((one) => html`<${Row} key=${one.id} one=${one} may=${may} again=${again} />`)}</tbody></table></div>
    <${More} list=${list} />`;
}

/** @param {{one: any, may: string[], again: () => void}} props */
function Row({ one, may, again }) {
  const { attempt, error, busy } = useAttempt();
  const here = to("deployments", one.flow, one.name);
  const run = () => attempt(() => launch(one));
  const pause = () => attempt(async () => {
    await ask(`api/deployments/${one.id}/pause`, { method: "POST", body: { paused: !one.paused } });
    again();
  });
  const when = one.schedules.map((/** @type {any} */ each) => `${each.said}${each.active ? "" : " (paused)"}`).join("; ");
  return html`<tr tabindex="0" onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && event.target === event.currentTarget && go(here)}>
    <td><a href=${here} dir="auto" title=${`${one.title} ${one.description}`}>${one.title}</a></td>
    <td title=${when}>${when || html`<span class="quiet">when asked</span>`}</td>
    <td>${one.paused ? html`<b>‖ paused</b>` : html`<${When} at=${one.next_at} />`}</td>
    <td>${one.last && html`<a href=${to("runs", one.last.id)} title=${one.last.name}><${State} state=${one.last.state} /></a> <${When} at=${one.last.started_at ?? one.last.expected_at} />`}</td>
    <td class="actions">${error && html`<span role="alert" class="bad-text" title=${error.hint}>${error.message}</span>`}
      <a href=${withQuery(here, { form: "run" })}>Run with…</a> <button disabled=${busy || !may.includes("run")} onClick=${run}>Run</button>${one.schedules.length > 0 && html`<button disabled=${busy || !may.includes("deploy")} onClick=${pause}>${one.paused ? "Go on" : "Pause"}</button>`}</td>
  </tr>`;
}
