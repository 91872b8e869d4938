/** One experiment: its runs as a table of chosen columns, the best one pinned, some compared, two fields in a scatter. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { place, setQuery, to } from "../lib/route.js";
import { span } from "../lib/time.js";
import { apart, cell, joined, nameOf, parted, term } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Compared } from "../parts/compared.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { Scatter } from "../parts/scatter.js";
import { Status } from "../parts/status.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["experiment-changed", "tracking-begun", "tracking-changed", "metrics-logged", "params-logged"]);
const PAGE = 100;
const MOST_COMPARED = 4;
const MOST_COLUMNS = 30;
const MOST_FOUND = 60;

/** @param {{name: string}} props */
export function Experiment({ name }) {
  const query = place.value.query;
  const get = (/** @type {string} */ one) => query.get(one) ?? "";
  const [where, order, best, x, y] = [get("q"), get("order"), get("best"), get("x"), get("y")];
  const chosen = apart(query.get("runs"));
  const picked = apart(query.get("columns"));
  const address = addressOf({ experiment: name, where, order_by: order, best, limit: PAGE }, { columns: picked, axes: [x, y].filter(Boolean) });
  const { data: fresh, error, again } = useView(address, (event) => CONCERNS.has(event.kind), 1000);
  const kept = useRef({ address, data: /** @type {any} */ (null) }); // what was there stays until the next is
  if (fresh) kept.current = { address, data: fresh };
  const data = fresh ?? (error ? null : kept.current.data);
  const columns = picked.length ? picked : (data?.columns ?? []);
  const isDrawn = Boolean(x || y);
  useLayoutEffect(() => offer([{ keys: "s", words: "Show or hide the scatter", group: "Experiment", run: () => swap(columns, isDrawn) }]), [columns.join(), isDrawn]);
  const open = (/** @type {any} */ run) => to("experiments", name, run.id);
  return html`<p class="crumbs"><a href=${to("experiments")}>Experiments</a></p><h1 dir="auto">${name}</h1>
    <form class="query" role="search" onSubmit=${(/** @type {any} */ event) => {
      event.preventDefault();
      setQuery("q", event.currentTarget.elements.q.value.trim(), false);
    }}><input name="q" data-search type="search" aria-label="Filter" key=${where} defaultValue=${where} spellcheck=${false} autocomplete="off"
        placeholder="metrics.rmse < 6.5 and params.depth = '4'" /><button>Search</button></form>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.items.length && html`<${Empty} title=${where ? "No run matches" : "No run yet"}><p>${where ? html`All terms must hold: <code>metrics.NAME</code>, <code>params.NAME</code>, <code>tags.NAME</code>, <code>attributes.status</code>, with <code>and</code> between them.` : "Runs of this experiment appear here by themselves."}</p><//>`}
    ${chosen.length > 1 && html`<${Compared} runs=${chosen} address=${open} close=${() => setQuery("runs", "")} />`}
    ${data && data.items.length > 0 && html`<div class="bar"><${Picker} fields=${data.fields} columns=${columns} /><${Best} columns=${columns} best=${best} />
        <button aria-pressed=${isDrawn} onClick=${() => swap(columns, isDrawn)}>Scatter</button>
        ${chosen.length < 2 && html`<span class="quiet">Choose two to four runs to compare them.</span>`}</div>
      <${Rows} address=${kept.current.address} first=${data} order=${order} axes=${{ x, y }} chosen=${chosen} open=${open} />`}`;
}

/** @param {Record<string, string | number>} values @param {Record<string, string[]>} lists */
function addressOf(values, lists) {
  const rest = Object.entries(lists).flatMap(([name, texts]) => texts.map((text) => `&${name}=${encodeURIComponent(text)}`));
  return withQuery("api/ui/tracking-runs", values) + rest.join("");
}

/** @param {{address: string, first: any, order: string, axes: {x: string, y: string}, chosen: string[], open: (run: any) => string}} props */
function Rows({ address, first, order, axes, chosen, open }) {
  // pages that follow have the columns of the first one
  const path = address.includes("&columns=") ? address : address + first.columns.map((/** @type {string} */ one) => `&columns=${encodeURIComponent(one)}`).join("");
  const pages = useMore(path, first);
  return html`${(axes.x || axes.y) && html`<${Scatter} runs=${pages.items} fields=${first.fields} x=${axes.x} y=${axes.y} choose=${(/** @type {string} */ axis, /** @type {string} */ field) => setQuery(axis, field)} address=${open} />`}
    <${Table} runs=${pages.items} columns=${first.columns} best=${first.best} order=${order} chosen=${chosen} open=${open} />
    <${More} list=${pages} words="Show more runs" />`;
}

/** Show the scatter with two fields to begin with, or take it away. @param {string[]} columns @param {boolean} there */
function swap(columns, there) {
  const metric = columns.find((one) => one.startsWith("metrics.")) ?? columns[0] ?? "";
  setQuery("x", there ? "" : (columns.find((one) => one.startsWith("params.")) ?? columns.find((one) => one !== metric) ?? metric));
  setQuery("y", there ? "" : metric);
}

/** Columns: those that are shown, and any other by a part of its name. @param {{fields: string[], columns: string[]}} props */
function Picker({ fields, columns }) {
  const [text, setText] = useState("");
  const words = text.toLowerCase().split(/\s+/);
  const found = [...columns.filter((field) => !fields.includes(field)), ...fields].filter((field) => words.every((word) => field.toLowerCase().includes(word)));
  const turn = (/** @type {string} */ field) => setQuery("columns", joined(columns.includes(field) ? columns.filter((one) => one !== field) : [...columns, field].slice(-MOST_COLUMNS)));
  return html`<details class="picker"><summary>Columns <span class="quiet">${columns.length} of ${Math.max(fields.length, columns.length).toLocaleString("en")}</span></summary>
    <div><input type="search" aria-label="Search columns" placeholder="Part of a name" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
      <ul>${found.slice(0, MOST_FOUND).map((field) => html`<li key=${field}><label><input type="checkbox" checked=${columns.includes(field)} onChange=${() => turn(field)} /> <span class="quiet">${parted(field).part}</span> <span dir="auto">${nameOf(field)}</span></label></li>`)}</ul>
      ${found.length > MOST_FOUND && html`<p class="quiet">${(found.length - MOST_FOUND).toLocaleString("en")} more: write more of the name.</p>`}
      ${!found.length && html`<p class="quiet">No run on this page has such a field.</p>`}
      <button onClick=${() => setQuery("columns", "")}>Those that differ</button></div></details>`;
}

/** Which run stays on top. @param {{columns: string[], best: string}} props */
function Best({ columns, best }) {
  const metrics = columns.filter((one) => one.startsWith("metrics."));
  const options = metrics.flatMap((field) => [[`${term(field)} ASC`, `lowest ${nameOf(field)}`], [`${term(field)} DESC`, `highest ${nameOf(field)}`]]);
  if (best && !options.some(([value]) => value === best)) options.push([best, best]);
  return html`<label>Pin the best <select value=${best} onChange=${(/** @type {any} */ event) => setQuery("best", event.currentTarget.value)}><option value="">none</option>
    ${options.map(([value, words]) => html`<option key=${value} value=${value} selected=${value === best}>${words}</option>`)}</select></label>`;
}

/** @param {{runs: any[], columns: string[], best: any, order: string, chosen: string[], open: (run: any) => string}} props */
function Table({ runs, columns, best, order, chosen, open }) {
  const sorted = (/** @type {string} */ field) => (order === `${term(field)} ASC` ? "ascending" : order === `${term(field)} DESC` ? "descending" : "none");
  const turn = (/** @type {string} */ field) => setQuery("order", { none: `${term(field)} ASC`, ascending: `${term(field)} DESC`, descending: "" }[sorted(field)]);
  const choose = (/** @type {string} */ id) => setQuery("runs", joined(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id].slice(-MOST_COMPARED)));
  const isNumber = (/** @type {string} */ field) => field.startsWith("metrics.");
  const row = (/** @type {any} */ run, pinned = false) => html`<tr key=${pinned ? "best" : run.id} class=${pinned ? "pinned" : ""}>
    <td><input type="checkbox" aria-label=${`Compare ${run.name}${pinned ? ", the best" : ""}`} checked=${chosen.includes(run.id)} onChange=${() => choose(run.id)} /></td>
    <td dir="auto" title=${run.note || run.id}>${pinned && html`<b title="The best">★ </b>`}<a href=${open(run)}>${run.name}</a>${run.note && html` <span class="quiet">${run.note}</span>`}</td>
    <td><${Status} status=${run.status} /></td><td><${When} at=${run.started_at} /></td><td class="number">${span(run.duration_s)}</td>
    ${columns.map((field) => html`<td key=${field} class=${isNumber(field) ? "number" : ""} dir=${isNumber(field) ? undefined : "auto"} title=${run.values[field] ?? ""}>${cell(run.values[field])}</td>`)}</tr>`;
  return html`<div class="scroll"><table class="rows" aria-label="Tracking runs"><thead><tr><th>Compare</th><th>Run</th><th>Status</th><th>Began</th><th class="number">Took</th>
      ${columns.map((field) => html`<th key=${field} class=${isNumber(field) ? "number" : ""} aria-sort=${sorted(field)}><button class="plain" onClick=${() => turn(field)} title=${`Order by ${field}`}>${nameOf(field)}${{ ascending: " ↑", descending: " ↓", none: "" }[sorted(field)]}</button></th>`)}</tr></thead>
    <tbody>${best && row(best, true)}${runs.map((run) => row(run))}</tbody></table></div>`;
}
