/** Home: what needs attention, the last day, what runs, what comes, and how each flow has been. */
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { hasEnded, isBad, kindOf, ORDER } from "../lib/states.js";
import { distance, full, now, setClock, span } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { RunTable } from "../parts/runs.js";
import { State } from "../parts/state.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["run-created", "run-moved", "run-dropped", "stream-lost", "worker-joined", "worker-left"]);
const FIRST = `from ostinato import flow, task

@task
def double(n: int) -> int:
    return 2 * n

@flow
def hello(n: int = 3) -> int:
    return double(n) + double(n + 1)

print(hello())`;

export function Home() {
  const { data, error, again } = useView("api/ui/home", (event) => CONCERNS.has(event.kind), 1000);
  if (!data) return error ? html`<h1>Home</h1><${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  setClock(data.now);
  if (!data.n_runs) return html`<h1>Home</h1><${First} />`;
  return html`
    <h1>Home</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    <${Attention} found=${data.attention} workers=${data.n_workers} />
    <${Day} hours=${data.hours} />
    <section><h2>Running now</h2>
      ${data.running.length ? html`<${RunTable} runs=${data.running} label="Running now" />` : html`<p class="quiet">Nothing runs.</p>`}
    </section>
    <section><h2>Next</h2>
      ${data.coming.length
        ? html`<${RunTable} runs=${data.coming} label="Next" due />`
        : html`<p class="quiet">No run is planned. A schedule comes with <code>ostinato deploy</code>.</p>`}
    </section>
    <${Flows} flows=${data.flows} />`;
}

function First() {
  return html`<${Empty} title="No run yet" code=${FIRST}>
    <p>Save this as <code>hello.py</code> and start it with <code>python hello.py</code>, in the same home.
      It appears here by itself. <code>ostinato demo</code> trains on real taxi rides instead.</p>
  <//>`;
}

/** @param {{found: any[], workers: number}} props */
function Attention({ found, workers }) {
  return html`<section aria-label="Needs attention">
    <h2>Needs attention</h2>
    ${!workers && html`<p class="notice">No worker is here: deployments wait. <code>ostinato worker</code> starts one.</p>`}
    ${found.length
      ? html`<ul class="attention">${found.map((one) => html`<li key=${`${one.kind}${one.run_id ?? one.title}`}>
          ${one.state ? html`<${State} state=${one.state} />` : html`<span class="state" data-kind="crashed"><i aria-hidden="true">⚡</i>Worker lost</span>`}
          ${one.run_id ? html`<a href=${to("runs", one.run_id)} dir="auto">${one.title}</a>` : html`<span dir="auto">${one.title}</span>`}
          <span class="cause" dir="auto" title=${one.cause}>${one.cause}</span>
          <span class="quiet"><${When} at=${one.at} /></span>
        </li>`)}</ul>`
      : workers > 0 && html`<p class="quiet">Nothing: no run failed, was late or lost its worker in the last 24 hours.</p>`}
  </section>`;
}

/** @param {{hours: any[]}} props */
function Day({ hours }) {
  const sum = (/** @type {any} */ hour) => Object.values(hour.states).reduce((a, b) => a + Number(b), 0);
  const most = Math.max(1, ...hours.map(sum));
  const failed = hours.reduce((n, hour) => n + ORDER.filter(isBad).reduce((m, state) => m + (hour.states[state] ?? 0), 0), 0);
  const all = hours.reduce((n, hour) => n + sum(hour), 0);
  return html`<section><h2>Last 24 hours <span class="quiet">${all.toLocaleString("en")} runs, ${failed.toLocaleString("en")} failed</span></h2>
    <ol class="day" aria-label="Runs by hour">${hours.map((hour) => {
      const n = sum(hour);
      const words = `${full(hour.at)}: ${n ? ORDER.filter((state) => hour.states[state]).map((state) => `${hour.states[state]} ${state}`).join(", ") : "no runs"}`;
      return html`<li key=${hour.at} title=${words} aria-label=${words}>
        <span style=${{ height: `${n ? Math.max(6, (100 * n) / most) : 0}%` }}>
          ${ORDER.filter((state) => hour.states[state]).map((state) => html`<i data-kind=${kindOf(state)} style=${{ flexGrow: hour.states[state] }} />`)}
        </span></li>`;
    })}</ol>
    <p class="axis quiet"><span>${distance(hours[0]?.at, now.value)}</span><span>now</span></p>
  </section>`;
}

/** @param {{flows: any[]}} props */
function Flows({ flows }) {
  if (!flows.length) return null;
  return html`<section><h2>Flows</h2><div class="scroll"><table class="rows" aria-label="Flows">
    <thead><tr><th>Flow</th><th>Last 30 runs</th><th class="number">Runs in 24 hours</th><th class="number">Usual time</th></tr></thead>
    <tbody>${flows.map((flow) => html`<tr key=${flow.name}>
      <td><a href=${withQuery(to("runs"), { q: `flow:${quoted(flow.name)}` })} dir="auto">${flow.name}</a></td>
      <td><${Sparks} runs=${flow.runs} /></td>
      <td class="number">${Object.values(flow.states).reduce((a, b) => a + Number(b), 0).toLocaleString("en")}</td>
      <td class="number">${span(middle(flow.runs.filter((/** @type {any} */ run) => run.state === "Completed").map((/** @type {any} */ run) => run.duration_s)))}</td>
    </tr>`)}</tbody></table></div></section>`;
}

/** @param {{runs: any[]}} props */
function Sparks({ runs }) {
  const most = Math.max(0.001, ...runs.map((run) => run.duration_s ?? 0));
  return html`<span class="sparks">${runs.map((run) => html`<a key=${run.id} href=${to("runs", run.id)} data-kind=${kindOf(run.state)}
      data-ended=${hasEnded(run.state)} aria-label=${`${run.name}, ${run.state}, ${span(run.duration_s)}`}
      title=${`${run.name}: ${run.state} ${span(run.duration_s)}`}
      style=${{ height: `${20 + (80 * (run.duration_s ?? most)) / most}%` }} />`)}</span>`;
}

function middle(/** @type {number[]} */ values) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

const quoted = (/** @type {string} */ text) => (/^[\w.-]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`);
