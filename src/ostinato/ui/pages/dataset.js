/** One version of data: what is in its columns, who used it, and which models came of it. */
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { bytes, shown } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Columns } from "../parts/columns.js";
import { Lineage } from "../parts/lineage.js";
import { Copy, Failure, Skeleton } from "../parts/notices.js";
import { When } from "../parts/when.js";

/** @param {{name: string, digest: string}} props */
export function Dataset({ name, digest }) {
  const { data, error, again } = useView(`api/ui/datasets/${encodeURIComponent(digest)}`, (event) => /^(dataset|version|alias|input)-/.test(event.kind), 2000);
  const head = html`<p class="crumbs"><a href=${to("datasets")}>Datasets</a> / <a href=${to("datasets", name)} dir="auto">${name}</a></p>`;
  if (!data) return html`${head}<h1><code>${digest.slice(0, 12)}</code></h1>${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  const { version } = data;
  return html`${head}<div class="title"><h1><span dir="auto">${name}</span> <code>${data.digest.slice(0, 12)}</code></h1></div>
    <p class="facts">${version && html`<span>${version.n_rows === null ? "no table" : `${version.n_rows.toLocaleString("en")} rows`}</span><span>${bytes(version.n_bytes)}</span><span>first seen <${When} at=${version.created_at} /></span>
        ${version.source && html`<span dir="auto"><code>${version.source}</code></span>`}`}
      <span><code>${data.digest}</code> <${Copy} text=${data.digest} words="Copy digest" /></span></p>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!version && html`<p class="notice">Ostinato has not read this data itself: a client of MLflow has named it so, and said who used it.</p>`}
    ${version && html`<h2>Columns <span class="quiet">${data.n_columns.toLocaleString("en")}</span></h2>
      ${!data.has_profile && html`<p class="quiet">It has no profile: ${data.columns.length ? "its values were not counted." : "it is no table."}</p>`}
      ${data.columns.length > 0 && html`<${Columns} columns=${data.columns} counted=${data.has_profile} />`}
      ${data.n_columns > data.columns.length && data.columns.length > 0 && html`<p class="quiet">The first ${shown(data.columns.length)} are shown.</p>`}`}
    <h2>What came of it</h2>${data.users.length || data.models.length ? html`<${Forward} name=${name} data=${data} />` : html`<p class="quiet">No run has used it yet.</p>`}
    ${data.users.length > 0 && html`<h2>Used by</h2><${Users} users=${data.users} />`}`;
}

const addressOf = (/** @type {any} */ user) => (user.name ? (user.kind === "flow-run" ? to("runs", user.run_id) : to("experiments", user.where, user.run_id)) : undefined);

/** The data, the runs that used it, the versions of models and their aliases. @param {{name: string, data: any}} props */
function Forward({ name, data }) {
  const me = "data";
  const runs = new Map(data.users.map((/** @type {any} */ user) => [user.run_id, { id: user.run_id, kind: user.kind.replace("-", " "), words: user.name || user.run_id, href: addressOf(user) }]));
  const models = data.models.map((/** @type {any} */ one) => ({ id: `${one.name}/${one.version}`, kind: "version", words: `${one.name} ${one.version}`, href: to("models", one.name, String(one.version)), run: one.run_id, flow: one.flow_run_id, aliases: one.aliases }));
  const aliases = models.flatMap((/** @type {any} */ one) => one.aliases.map((/** @type {string} */ alias) => ({ id: `${one.id}@${alias}`, kind: `alias of ${one.words.replace(/ \d+$/, "")}`, words: `@${alias}`, from: one.id })));
  const needed = new Set(models.flatMap((/** @type {any} */ one) => [one.run, one.flow]));
  const shownRuns = [...runs.values()].filter((/** @type {any} */ run) => needed.has(run.id) || runs.size <= 8);
  const known = new Set(shownRuns.map((/** @type {any} */ run) => run.id));
  const edges = /** @type {[string, string][]} */ ([
    ...shownRuns.map((/** @type {any} */ run) => [me, run.id]),
    ...models.map((/** @type {any} */ one) => [[one.run, one.flow].find((run) => known.has(run)) ?? me, one.id]),
    ...aliases.map((/** @type {any} */ alias) => [alias.from, alias.id]),
  ]);
  return html`<${Lineage} items=${[{ id: me, kind: "data", words: `${name} ${data.digest.slice(0, 8)}`, main: true }, ...shownRuns, ...models, ...aliases]} edges=${edges} label="What came of this data" />`;
}

/** @param {{users: any[]}} props */
function Users({ users }) {
  return html`<div class="scroll"><table class="rows" aria-label="Used by"><thead><tr><th>Run</th><th>Kind</th><th>Flow or experiment</th><th>What for</th><th>When</th></tr></thead>
    <tbody>${users.map((user) => html`<tr key=${`${user.run_id}${user.context}`}><td>${user.name ? html`<a href=${addressOf(user)} dir="auto">${user.name}</a>` : html`<span class="quiet">gone: <code>${user.run_id.slice(0, 12)}</code></span>`}</td><td>${user.kind.replace("-", " ")}</td>
      <td dir="auto">${user.where}</td><td dir="auto">${user.context}</td><td><${When} at=${user.at} /></td></tr>`)}</tbody></table></div>`;
}
