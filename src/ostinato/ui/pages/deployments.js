/** Deployments: what runs when, the next times, and a run of it now. */
import { useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { go, to } from "../lib/route.js";
import { useView } from "../lib/view.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";

const CONCERNS = new Set(["deployment-set", "deployment-removed"]);

export function Deployments() {
  const { data, error, again } = useView("api/deployments", (event) => CONCERNS.has(event.kind));
  return html`<h1>Deployments</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.length && html`<${Empty} title="No deployment yet" code=${"ostinato deploy FILE:FLOW --name NAME --cron '0 6 * * *'"}>
      <p>A deployment is a flow that workers run, by a schedule or when asked.</p><//>`}
    ${data && data.length > 0 && html`<div class="scroll"><table class="rows" aria-label="Deployments">
      <thead><tr><th>Deployment</th><th>When</th><th>Queue</th><th>Description</th><th>Actions</th></tr></thead>
      <tbody>${data.map((/** @type {any} */ one) => html`<${Row} key=${one.id} one=${one} again=${again} />`)}</tbody></table></div>`}`;
}

/** @param {{one: any, again: () => void}} props */
function Row({ one, again }) {
  const [said, setSaid] = useState("");
  async function attempt(/** @type {() => Promise<any>} */ work) {
    try {
      await work();
      setSaid("");
    } catch (problem) {
      setSaid(problem instanceof Error ? problem.message : String(problem));
    }
  }
  const run = () => attempt(async () => go(to("runs", (await ask(`api/deployments/${one.id}/runs`, { method: "POST", body: {} })).id)));
  const pause = () => attempt(async () => {
    await ask(`api/deployments/${one.id}/pause`, { method: "POST", body: { paused: !one.paused } });
    again();
  });
  return html`<tr>
    <td><a href=${withQuery(to("runs"), { q: `deployment:${one.title}` })} dir="auto">${one.title}</a></td>
    <td>${one.paused && html`<b>paused</b> `}${one.schedules.map((/** @type {any} */ each) => each.said).join("; ") || html`<span class="quiet">when asked</span>`}</td>
    <td>${one.queue ?? html`<span class="quiet">any that fits</span>`}</td>
    <td class="quiet" dir="auto" title=${one.description}>${one.description}</td>
    <td class="actions"><button onClick=${run}>Run</button>${one.schedules.length > 0 && html`<button onClick=${pause}>${one.paused ? "Go on" : "Pause"}</button>`}
      ${said && html`<span role="alert" class="bad-text">${said}</span>`}</td>
  </tr>`;
}
