/** Models: all that are registered, by name. */
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { to } from "../lib/route.js";
import { useView } from "../lib/view.js";
import { Aliases } from "../parts/aliases.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const PATH = "api/models?limit=200";
const CONCERNS = /^(model|version|alias|stage)-/;
const FIRST = `from ostinato import log_model, register_model, start_run

with start_run(experiment="rides"):
    info = log_model(model, "model")
register_model(info.uri, "ride-duration")`;

export function Models() {
  const { data, error, again } = useView(PATH, (event) => CONCERNS.test(event.kind), 1000);
  return html`<h1>Models</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title="No model yet" code=${FIRST}><p>A registered model has versions, aliases that mean one of them, and checks that a version must pass. The MLflow client works too.</p><//>`}
    ${data && data.items.length > 0 && html`<${List} first=${data} />`}`;
}

/** @param {{first: any}} props */
function List({ first }) {
  const pages = useMore(PATH, first, "name");
  return html`<div class="scroll"><table class="rows" aria-label="Models"><thead><tr><th>Model</th><th>Aliases</th><th class="number">Versions made</th><th>Gated</th><th>Changed</th><th>Description</th></tr></thead>
      <tbody>${pages.items.map((/** @type {any} */ one) => html`<tr key=${one.name}><td><a href=${to("models", one.name)} dir="auto">${one.name}</a></td><td class="wrap"><${Aliases} model=${one.name} aliases=${one.aliases} /></td>
        <td class="number">${one.n_made.toLocaleString("en")}</td><td>${one.policy ? `${Object.keys(one.policy.checks).length} checks before ${one.policy.aliases.map((/** @type {string} */ alias) => `@${alias}`).join(", ")}` : html`<span class="quiet">no</span>`}</td>
        <td><${When} at=${one.updated_at} /></td><td class="quiet" dir="auto" title=${one.description}>${one.description}</td></tr>`)}</tbody></table></div>
    <${More} list=${pages} words="Show more models" />`;
}
