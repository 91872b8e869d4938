/** Home: what needs attention, the last day, what runs, what comes, and how each flow has been. */
import { useEffect } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { term } from "../lib/query.js";
import { to } from "../lib/route.js";
import { isBad, kindOf, ORDER } from "../lib/states.js";
import { brief, distance, now, span } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { coded, Empty, Failure, Skeleton } from "../parts/notices.js";
import { RunTable } from "../parts/runs.js";
import { Sparks } from "../parts/sparks.js";
import { State } from "../parts/state.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["run-created", "run-moved", "run-dropped", "task-started", "task-moved", "stream-lost", "worker-joined", "worker-left"]);
const HOUR_MS = 3_600_000;
/** How long after a run is due it is looked whether a worker took it; the longest that a browser waits. */
const GRACE_MS = 1500, MOST_MS = 2 ** 31 - 1;
const FIRST = `from ostinato import flow
@flow(log_prints=True)
def hello(name: str = "world") -> str:
    print(f"Hello, {name}!")
    return name
hello()`;

export function Home() {
  const { data, error, again } = useView("api/ui/home", (event) => CONCERNS.has(event.kind), 1000, 1000);
  const next = data?.coming.map((run) => Date.parse(run.expected_at)).find((at) => at > Date.parse(data.now)); // nothing happens when a run comes due
  useEffect(() => {
    const timer = next && setTimeout(again, Math.min(MOST_MS, Math.max(0, next - now.peek()) + GRACE_MS));
    return () => clearTimeout(timer);
  }, [next]);
  return html`<h1>Home</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && (data.n_runs ? html`<${Overview} data=${data} />` : html`<${First} />`)}`;
}

function First() {
  return html`<${Empty} title="No run yet" code=${FIRST}>
    <p>Save this as <code>hello.py</code> and start it with <code>python hello.py</code>, in the same home.
      It appears here by itself. <code>ostinato demo</code> trains on real taxi rides instead.</p>
  <//>`;
}

/** @param {{data: Api.HomeScreen}} props */
function Overview({ data }) {
  return html`
    <${Attention} found=${data.attention} />
    ${!data.n_workers && data.coming.length > 0 && html`<p class="notice">No worker is here: deployments wait. <code>ostinato worker</code> starts one.</p>`}
    <${Day} hours=${data.hours} />
    <section><h2>Running now</h2>
      ${data.running.length ? html`<${RunTable} runs=${data.running} label="Running now" progress />` : html`<p class="quiet">Nothing runs.</p>`}
    </section>
    <div class="pair"><section><h2>Next</h2>
      ${data.coming.length
        ? html`<${RunTable} runs=${data.coming} label="Next" due />`
        : html`<p class="quiet">No run is planned. A schedule comes with <code>ostinato deploy</code>.</p>`}
    </section>
    <${Flows} flows=${data.flows} /></div>`;
}

/** @param {{found: Api.Attention[]}} props */
function Attention({ found }) {
  return html`<section aria-label="Needs attention">
    <h2>Needs attention</h2>
    ${found.length
      ? html`<ul class="attention">${found.map((one) => html`<li key=${`${one.kind}${one.run_id ?? one.title}`}>
          ${one.state ? html`<${State} state=${one.state} />` : html`<span class="state" data-kind="crashed"><i aria-hidden="true">⚡</i>Worker lost</span>`}
          ${one.run_id ? html`<a href=${to("runs", one.run_id)} dir="auto" title=${one.title}>${one.title}</a>` : html`<a href=${to("workers")} dir="auto" title=${one.title}>${one.title}</a>`}
          <span class="cause" dir="auto" title=${one.cause}>${one.kind === "late" ? coded(one.cause) : one.cause}</span>
          <span>${one.query && html`<a href=${withQuery(to("runs"), { q: one.query })}>${one.n_alike} alike</a>`}</span>
          <span class="quiet"><${When} at=${one.at} /></span>
        </li>`)}</ul>`
      : html`<p class="quiet">Nothing: in the last 24 hours no run failed and no worker was lost, and no run that is due is kept from starting.</p>`}
  </section>`;
}

/** @param {{hours: Api.Hour[]}} props */
function Day({ hours }) {
  const sum = (/** @type {Api.Hour} */ hour) => Object.values(hour.states).reduce((a, b) => a + b, 0);
  const most = Math.max(1, ...hours.map(sum));
  const failed = hours.reduce((n, hour) => n + ORDER.filter(isBad).reduce((m, state) => m + (hour.states[state] ?? 0), 0), 0);
  const all = hours.reduce((n, hour) => n + sum(hour), 0);
  return html`<section><h2>Last 24 hours <span class="quiet">${all.toLocaleString("en")} runs, ${failed.toLocaleString("en")} failed</span></h2>
    <ol class="day" aria-label="Runs by hour">${hours.map((hour) => {
      const n = sum(hour);
      const states = ORDER.filter((state) => hour.states[state]);
      const words = `${brief(hour.at)}: ${states.map((state) => `${hour.states[state]} ${state}`).join(", ") || "no runs"}`;
      const bar = html`<span style=${{ height: `${n ? Math.max(6, (100 * n) / most) : 0}%` }}>
        ${states.map((state) => html`<i data-kind=${kindOf(state)} style=${{ flexGrow: hour.states[state] }} />`)}</span>`;
      return html`<li key=${hour.at} title=${words}>${n ? html`<a href=${withQuery(to("runs"), { q: `since:${hour.at} until:${after(hour.at)}` })} aria-label=${words}>${bar}</a>` : bar}</li>`;
    })}</ol>
    <p class="axis quiet"><span>${distance(hours[0]?.at, now.value)}</span><span>now</span></p>
  </section>`;
}

/** Give the end of an hour. */
const after = (/** @type {string} */ hour) => new Date(Date.parse(hour) + HOUR_MS).toISOString();

/** @param {{flows: Api.FlowRow[]}} props */
function Flows({ flows }) {
  if (!flows.length) return null;
  return html`<section><h2>Flows</h2><div class="scroll"><table class="rows" aria-label="Flows">
    <thead><tr><th>Flow</th><th>Last 30 runs</th><th class="number">Runs in 24 hours</th><th class="number">Usual time</th></tr></thead>
    <tbody>${flows.map((flow) => html`<tr key=${flow.name}>
      <td><a href=${to("flows", flow.name)} dir="auto" title=${flow.name}>${flow.name}</a></td>
      <td><${Sparks} runs=${flow.runs} /></td>
      <td class="number"><a href=${withQuery(to("runs"), { q: `${term("flow", flow.name)} since:24h` })}>${Object.values(flow.states).reduce((a, b) => a + b, 0).toLocaleString("en")}</a></td>
      <td class="number">${span(middle(flow.runs.flatMap((run) => (run.state === "Completed" ? [run.duration_s] : []))))}</td>
    </tr>`)}</tbody></table></div></section>`;
}

function middle(/** @type {(number | null)[]} */ values) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
