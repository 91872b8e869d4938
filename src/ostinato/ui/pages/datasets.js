/** Datasets: what data is called, each with its newest version. */
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { to } from "../lib/route.js";
import { bytes } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const PATH = "api/ui/datasets?limit=200";
const FIRST = `from ostinato import dataset, flow

@flow
def train():
    rides = dataset("rides.parquet", name="rides", context="training")
    print(rides.digest)`;

export function Datasets() {
  const { data, error, again } = useView(PATH, (event) => event.kind.startsWith("dataset-"), 1000);
  return html`<h1>Datasets</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title="No data yet" code=${FIRST}><p>A version of data is named by the hash of its content, and linked to the runs and models that it goes into.</p><//>`}
    ${data && data.items.length > 0 && html`<${List} first=${data} />`}`;
}

/** @param {{first: any}} props */
function List({ first }) {
  const pages = useMore(PATH, first, "name");
  return html`<div class="scroll"><table class="rows" aria-label="Datasets"><thead><tr><th>Data</th><th class="number">Versions</th><th>Newest</th><th class="number">Rows</th><th class="number">Size</th><th>Last used</th><th>Source</th></tr></thead>
      <tbody>${pages.items.map((/** @type {any} */ one) => html`<tr key=${one.name}><td><a href=${to("datasets", one.name)} dir="auto">${one.name}</a></td><td class="number">${one.n_versions.toLocaleString("en")}</td>
        <td><a href=${to("datasets", one.name, one.digest)}><code>${one.digest.slice(0, 12)}</code></a></td><td class="number">${one.n_rows?.toLocaleString("en") ?? ""}</td><td class="number">${bytes(one.n_bytes)}</td>
        <td><${When} at=${one.at} /></td><td class="quiet" dir="auto" title=${one.source}>${one.source}</td></tr>`)}</tbody></table></div>
    <${More} list=${pages} words="Show more names" />`;
}
