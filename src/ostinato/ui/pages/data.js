/** Data of one name: its versions, and how two of them differ. */
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { place, setQuery, to } from "../lib/route.js";
import { apart, bytes, cell, joined, shown } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { More } from "../parts/more.js";
import { Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

const CHANGED = 0.1, LARGE = 0.25;

/** @param {{name: string}} props */
export function Data({ name }) {
  const path = withQuery("api/datasets", { name, limit: 100 });
  const { data, error, again } = useView(path, (event) => event.kind.startsWith("dataset-"), 1000);
  const chosen = apart(place.value.query.get("compare"));
  return html`<p class="crumbs"><a href=${to("datasets")}>Datasets</a></p><h1 dir="auto">${name}</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<p class="quiet">No data has this name.</p>`}
    ${chosen.length === 2 && html`<${Difference} key=${chosen.join()} name=${name} digests=${chosen} />`}
    ${data && data.items.length > 0 && html`<${List} name=${name} path=${path} first=${data} chosen=${chosen} />`}`;
}

/** @param {{name: string, path: string, first: any, chosen: string[]}} props */
function List({ name, path, first, chosen }) {
  const pages = useMore(path, first, "digest");
  const choose = (/** @type {string} */ digest) => setQuery("compare", joined(chosen.includes(digest) ? chosen.filter((one) => one !== digest) : [...chosen, digest].slice(-2)));
  return html`<p class="quiet">${chosen.length < 2 ? "Choose two versions to compare them." : ""}</p>
    <div class="scroll"><table class="rows" aria-label="Versions of data"><thead><tr><th>Compare</th><th>Version</th><th class="number">Rows</th><th class="number">Columns</th><th class="number">Size</th><th>First seen</th><th>Source</th></tr></thead>
      <tbody>${pages.items.map((/** @type {any} */ one) => html`<tr key=${one.digest}><td><input type="checkbox" aria-label=${`Compare ${one.digest.slice(0, 12)}`} checked=${chosen.includes(one.digest)} onChange=${() => choose(one.digest)} /></td>
        <td><a href=${to("datasets", name, one.digest)}><code>${one.digest.slice(0, 12)}</code></a></td><td class="number">${one.n_rows?.toLocaleString("en") ?? html`<span class="quiet">no table</span>`}</td><td class="number">${one.schema.length || ""}</td>
        <td class="number">${bytes(one.n_bytes)}</td><td><${When} at=${one.created_at} /></td><td class="quiet" dir="auto" title=${one.source}>${one.source}</td></tr>`)}</tbody></table></div>
    <${More} list=${pages} words="Show more versions" />`;
}

/** @param {{name: string, digests: string[]}} props */
function Difference({ name, digests }) {
  const { data, error } = useView(`api/datasets/${digests.map(encodeURIComponent).join("/diff/")}`, () => false);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Skeleton} rows=${3} />`;
  const swap = () => setQuery("compare", joined(digests.toReversed()));
  const version = (/** @type {string} */ digest) => html`<a href=${to("datasets", name, digest)}><code>${digest.slice(0, 12)}</code></a>`;
  const fields = (/** @type {any[]} */ found) => found.map((field) => `${field.name} (${field.type})`).join(", ") || html`<span class="quiet">none</span>`;
  const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(1)} %`;
  return html`<section class="compared" aria-label="Difference"><div class="title"><h2>From ${version(data.before)} to ${version(data.after)}</h2><span class="actions"><button onClick=${swap}>Turn round</button><button onClick=${() => setQuery("compare", "")}>Close</button></span></div>
    <dl class="facts-list"><div><dt>Rows</dt><dd>${data.n_rows_before?.toLocaleString("en") ?? "none"} to ${data.n_rows_after?.toLocaleString("en") ?? "none"}</dd></div>
      <div><dt>Columns added</dt><dd dir="auto">${fields(data.added)}</dd></div><div><dt>Columns removed</dt><dd dir="auto">${fields(data.removed)}</dd></div>
      <div><dt>Types changed</dt><dd dir="auto">${data.retyped.map((/** @type {any} */ one) => `${one.name}: ${one.before} to ${one.after}`).join(", ") || html`<span class="quiet">none</span>`}</dd></div></dl>
    ${data.columns.length ? html`<div class="scroll"><table class="rows" aria-label="Columns that both have"><thead><tr><th>Column</th><th>Values</th><th class="number">Stability index</th><th class="number">Mean before</th><th class="number">after</th><th class="number">Missing before</th><th class="number">after</th></tr></thead>
      <tbody>${data.columns.toSorted((/** @type {any} */ a, /** @type {any} */ b) => (b.psi ?? -1) - (a.psi ?? -1)).map((/** @type {any} */ one) => html`<tr key=${one.name}><td dir="auto">${one.name}</td><td><${Change} psi=${one.psi} /></td><td class="number">${one.psi === null ? "" : one.psi.toFixed(3)}</td>
        <td class="number">${one.mean_before === null ? "" : shown(one.mean_before)}</td><td class="number">${one.mean_after === null ? "" : cell(one.mean_after)}</td><td class="number">${percent(one.missing_before)}</td><td class="number">${percent(one.missing_after)}</td></tr>`)}</tbody></table></div>`
      : html`<p class="quiet">One of them has no profile: only tables are counted column by column.</p>`}</section>`;
}

/** How much the values of a column have moved: shape, word, colour. @param {{psi: number | null}} props */
function Change({ psi }) {
  const [kind, glyph, word] = psi === null ? ["pending", "◌", "not comparable"] : psi >= LARGE ? ["failed", "▲", "large change"] : psi >= CHANGED ? ["late", "△", "change"] : ["completed", "✓", "alike"];
  return html`<span class="state" data-kind=${kind}><i aria-hidden="true">${glyph}</i>${word}</span>`;
}
