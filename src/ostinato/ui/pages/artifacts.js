/** Artifacts: what runs left for people to look at, the newest first; and one of them. */
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { place, setQuery, to } from "../lib/route.js";
import { opens } from "../lib/rows.js";
import { full } from "../lib/time.js";
import { bytes } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Content, Download } from "../parts/artifacts.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const KINDS = ["table", "markdown", "image", "html", "link"];
const FIRST = `from ostinato import artifact, flow

@flow
def report() -> None:
    artifact.table([{"model": "linear", "rmse": 7.76}], key="scores")

report()`;

/** @param {{id: string | undefined}} props */
export function Artifacts({ id }) {
  return id === undefined ? html`<${List} />` : html`<${One} key=${id} id=${id} />`;
}

function List() {
  const kind = place.value.query.get("kind") ?? "", name = place.value.query.get("name") ?? "";
  const path = withQuery("api/ui/artifacts", { kind, name, limit: 100 });
  const { data, error, again } = useView(path, (event) => event.kind === "artifact-made" || event.kind === "run-dropped", 1000);
  return html`<h1>Artifacts</h1>
    <form class="query" role="search" onSubmit=${(/** @type {any} */ event) => {
      event.preventDefault();
      setQuery("name", event.currentTarget.elements.name.value.trim(), false);
    }}>
      <input name="name" data-search type="search" aria-label="Part of the name" key=${name} defaultValue=${name} placeholder="Part of the name" spellcheck=${false} autocomplete="off" />
      <select aria-label="Kind" value=${kind} onChange=${(/** @type {any} */ event) => setQuery("kind", event.currentTarget.value, false)}>
        <option value="">All kinds</option>${KINDS.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>
      <button>Search</button>
    </form>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} rows=${12} />`}
    ${data && html`<${Rows} path=${path} first=${data} filtered=${Boolean(kind || name)} />`}`;
}

/** @param {{path: string, first: any, filtered: boolean}} props */
function Rows({ path, first, filtered }) {
  const pages = useMore(path, first);
  if (!pages.items.length && !pages.next) {
    return filtered
      ? html`<${Empty} title="No artifact matches"><p>Try a shorter part of its name, or all kinds.</p><//>`
      : html`<${Empty} title="No artifact yet" code=${FIRST}><p>An artifact is a table, a text, a link, an image or a page that a run leaves for people to look at.</p><//>`;
  }
  return html`${pages.items.length > 0
    ? html`<div class="scroll"><table class="rows" aria-label="Artifacts"><thead><tr><th>Name</th><th>Kind</th><th>Run</th><th>Flow</th><th>When</th><th class="number">Size</th><th>Description</th></tr></thead>
      <tbody>${pages.items.map((one) => html`<tr key=${one.id} ...${opens(to("artifacts", String(one.id)))}>
        <td><a href=${to("artifacts", String(one.id))} dir="auto" title=${one.key ?? ""}>${one.key ?? html`<i>unnamed</i>`}</a></td><td>${one.kind}</td>
        <td><a href=${to("runs", one.run_id)} dir="auto">${one.run}</a></td><td><a href=${to("flows", one.flow)} dir="auto">${one.flow}</a></td><td><${When} at=${one.at} /></td>
        <td class="number">${bytes(one.size_bytes)}</td><td class="quiet" dir="auto" title=${one.description}>${one.description}</td></tr>`)}</tbody></table></div>`
    : html`<p class="quiet">None among the newest ones.</p>`}
    <${More} list=${pages} words=${pages.items.length ? "Show older artifacts" : "Look further back"} />`;
}

/** @param {{id: string}} props */
function One({ id }) {
  const { data, error, again } = useView(`api/ui/artifacts/${encodeURIComponent(id)}`, (event) => event.kind === "artifact-made" || event.kind === "run-dropped", 1000);
  const head = html`<p class="crumbs"><a href=${to("artifacts")}>Artifacts</a></p>`;
  if (!data) return html`${head}<h1>Artifact ${id}</h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  const one = data.artifact;
  return html`${head}<div class="title"><h1 dir="auto">${one.key ?? one.kind}</h1><span class="actions"><${Download} one=${one} /></span></div>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    <p class="facts"><span>${one.kind}</span><span>of <a href=${to("runs", one.run_id)} dir="auto">${one.run || one.run_id}</a></span>
      ${one.flow && html`<span>flow <a href=${to("flows", one.flow)} dir="auto">${one.flow}</a></span>`}
      <span><time datetime=${one.at}>${full(one.at)}</time></span><span>${bytes(one.size_bytes)}</span></p>
    ${one.description && html`<p dir="auto">${one.description}</p>`}
    <div class="artifact"><${Content} key=${one.id} one=${one} level=${2} /></div>
    ${data.versions.length > 1 && html`<h2>All of this name <span class="quiet">the newest first</span></h2><ul class="series">${data.versions.map((/** @type {any} */ each) => html`<li key=${each.id}>
      <a href=${to("artifacts", String(each.id))} aria-current=${each.id === one.id ? "page" : undefined}>${full(each.at)}</a> <span class="quiet" dir="auto">${each.run}</span></li>`)}</ul>`}`;
}
