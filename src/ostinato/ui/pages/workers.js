/** Workers and queues: who is here, how busy they are, and what waits for them. */
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { useView } from "../lib/view.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["worker-joined", "worker-left", "queue-set", "run-moved", "run-created"]);

export function Workers() {
  const workers = useView("api/workers", (event) => CONCERNS.has(event.kind), 1000);
  const queues = useView("api/queues", (event) => CONCERNS.has(event.kind), 1000);
  const here = workers.data?.filter((/** @type {any} */ one) => !one.left_at);
  return html`<h1>Workers</h1>
    ${workers.error && html`<${Failure} error=${workers.error} again=${workers.again} />`}
    ${!workers.data && !workers.error && html`<${Skeleton} rows=${4} />`}
    ${here && !here.length && html`<${Empty} title="No worker is here" code="ostinato worker"><p>A worker takes runs of deployments and starts them. <code>ostinato up</code> brings one.</p><//>`}
    ${here && here.length > 0 && html`<div class="scroll"><table class="rows" aria-label="Workers">
      <thead><tr><th>Worker</th><th class="number">Runs</th><th>Queues</th><th>Resources</th><th>Seen</th><th>Where</th></tr></thead>
      <tbody>${here.map((/** @type {any} */ one) => html`<tr key=${one.id}><td dir="auto"><a href=${withQuery(to("runs"), { q: `worker:${one.id}` })}>${one.name}</a></td>
        <td class="number">${one.n_held} of ${one.slots}</td><td>${one.queues.join(", ") || "all"}</td>
        <td>${Object.entries(one.resources).map(([name, n]) => `${name}: ${n}`).join(", ")}</td>
        <td><${When} at=${one.seen_at} /></td><td>${one.host}:${one.pid}</td></tr>`)}</tbody></table></div>`}
    <h2>Queues</h2>
    ${queues.error && html`<${Failure} error=${queues.error} again=${queues.again} />`}
    ${queues.data && html`<div class="scroll"><table class="rows" aria-label="Queues">
      <thead><tr><th>Queue</th><th class="number">Running</th><th class="number">Waiting</th><th class="number">Late</th><th class="number">Later</th><th class="number">At once</th><th>State</th></tr></thead>
      <tbody>${queues.data.map((/** @type {any} */ one) => html`<tr key=${one.name}><td dir="auto"><a href=${withQuery(to("runs"), { q: `queue:${one.name} state:scheduled,late` })}>${one.name}</a></td>
        <td class="number">${one.n_running}</td><td class="number">${one.n_waiting}</td><td class="number">${one.n_late}</td><td class="number">${one.n_later}</td>
        <td class="number">${one.concurrency ?? "no limit"}</td><td>${one.paused ? html`<b>paused</b>` : "open"}</td></tr>`)}</tbody></table></div>`}`;
}
