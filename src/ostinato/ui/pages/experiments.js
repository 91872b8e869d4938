/** Experiments: all of them, by name. */
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { to } from "../lib/route.js";
import { useView } from "../lib/view.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const PATH = "api/experiments?limit=200";
const NOTE = "mlflow.note.content";
const FIRST = `from ostinato import log_metric, log_param, start_run

with start_run(experiment="rides", name="first"):
    log_param("depth", 4)
    log_metric("rmse", 6.5)`;

export function Experiments() {
  const { data, error, again } = useView(PATH, (event) => event.kind.startsWith("experiment-"), 1000);
  return html`<h1>Experiments</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title="No experiment yet" code=${FIRST}><p>The MLflow client works too, with <code>MLFLOW_TRACKING_URI</code> set to this server.</p><//>`}
    ${data && data.items.length > 0 && html`<${List} first=${data} />`}`;
}

/** @param {{first: any}} props */
function List({ first }) {
  const pages = useMore(PATH, first);
  return html`<div class="scroll"><table class="rows" aria-label="Experiments"><thead><tr><th>Experiment</th><th>Changed</th><th>Made</th><th>Note</th></tr></thead>
      <tbody>${pages.items.map((/** @type {any} */ one) => html`<tr key=${one.id}><td><a href=${to("experiments", one.name)} dir="auto">${one.name}</a></td>
        <td><${When} at=${one.updated_at} /></td><td><${When} at=${one.created_at} /></td><td class="quiet" dir="auto">${one.tags[NOTE] ?? ""}</td></tr>`)}</tbody></table></div>
    <${More} list=${pages} words="Show more experiments" />`;
}
