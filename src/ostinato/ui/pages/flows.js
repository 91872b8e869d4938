/** Flows: how the last runs of each went, how long they usually take, and what comes next. */
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { to } from "../lib/route.js";
import { opens } from "../lib/rows.js";
import { span } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { Rate } from "../parts/rate.js";
import { Sparks } from "../parts/sparks.js";
import { When } from "../parts/when.js";

const PATH = "api/ui/flows?limit=50";
const CONCERNS = new Set(["run-created", "run-moved", "run-dropped", "stream-lost", "deployment-set", "deployment-removed"]);
const FIRST = `from ostinato import flow

@flow
def hello(name: str = "you") -> str:
    return f"hello {name}"

print(hello())`;

export function Flows() {
  const { data, error, again } = useView(PATH, (event) => CONCERNS.has(event.kind), 1000);
  return html`<h1>Flows</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title="No flow yet" code=${FIRST}>
      <p>A flow is a function with <code>@flow</code> above it. It appears here when it first runs, or is deployed:
        save this as <code>hello.py</code> and start it with <code>python hello.py</code>, in the same home.</p><//>`}
    ${data && data.items.length > 0 && html`<${List} first=${data} />`}`;
}

/** @param {{first: any}} props */
function List({ first }) {
  const pages = useMore(PATH, first, "name");
  return html`<div class="scroll"><table class="rows" aria-label="Flows">
      <thead><tr><th>Flow</th><th>Last 30 runs</th><th class="number">Success, 24 h</th><th class="number">7 days</th>
        <th class="number">Half within</th><th class="number">95 % within</th><th>Next</th><th>Deployments</th></tr></thead>
      <tbody>${pages.items.map((flow) => html`<tr key=${flow.name} ...${opens(to("flows", flow.name))}>
        <td><a href=${to("flows", flow.name)} dir="auto" title=${flow.name}>${flow.name}</a></td>
        <td><${Sparks} runs=${flow.runs} /></td>
        <td class="number"><${Rate} of=${flow.day} /></td><td class="number"><${Rate} of=${flow.week} /></td>
        <td class="number">${span(flow.p50_s)}</td><td class="number">${span(flow.p95_s)}</td>
        <td><${When} at=${flow.next_at} /></td>
        <td dir="auto">${flow.deployments.map((/** @type {string} */ name, /** @type {number} */ at) => html`${at > 0 && ", "}<a key=${name} href=${to("deployments", flow.name, name)}>${name}</a>`)}
          ${flow.n_deployments > flow.deployments.length && html`<span class="quiet"> and ${flow.n_deployments - flow.deployments.length} more</span>`}</td>
      </tr>`)}</tbody></table></div>
    <${More} list=${pages} words="Show more flows" />`;
}
