/** One experiment: its runs as a table of chosen columns, the best one marked, some compared, two fields in a scatter. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { place, setQuery, to } from "../lib/route.js";
import { span } from "../lib/time.js";
import { apart, fieldCell, isMetric, joined, nameOf, number, parted, term } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Compared } from "../parts/compared.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { Picker } from "../parts/picker.js";
import { Scatter } from "../parts/scatter.js";
import { Status } from "../parts/status.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["experiment-changed", "tracking-begun", "tracking-changed", "metrics-logged", "params-logged"]);
const PAGE = 100;
const MOST_COMPARED = 4;
const MOST_COLUMNS = 30;

/** Columns that were chosen last for an experiment, kept in this browser; those of the address come before them. */
const chosenOf = (/** @type {string} */ name) => place.value.query.has("columns") ? apart(place.value.query.get("columns")) : apart(localStorage.getItem(`ostinato.columns ${name}`));

function choose(/** @type {string} */ name, /** @type {string[]} */ columns) {
  if (columns.length) localStorage.setItem(`ostinato.columns ${name}`, joined(columns));
  else localStorage.removeItem(`ostinato.columns ${name}`);
  setQuery("columns", joined(columns));
}

/** @param {{name: string}} props */
export function Experiment({ name }) {
  const query = place.value.query;
  const get = (/** @type {string} */ one) => query.get(one) ?? "";
  const [where, order, best, x, y] = [get("q"), get("order"), get("best"), get("x"), get("y")];
  const chosen = apart(query.get("runs"));
  const picked = chosenOf(name);
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
    ${data && data.items.length > 0 && html`<div class="bar"><${Columns} name=${name} fields=${data.fields} columns=${columns} /><${Best} columns=${columns} best=${best} />
        <button aria-pressed=${isDrawn} onClick=${() => swap(columns, isDrawn)}>Scatter</button>
        ${chosen.length < 2 && html`<span class="quiet">Choose two to four runs to compare them.</span>`}</div>
      <${Rows} address=${kept.current.address} first=${data} order=${order} best=${best} axes=${{ x, y }} chosen=${chosen} open=${open} />`}`;
}

/** @param {Record<string, string | number>} values @param {Record<string, string[]>} lists */
function addressOf(values, lists) {
  const rest = Object.entries(lists).flatMap(([name, texts]) => texts.map((text) => `&${name}=${encodeURIComponent(text)}`));
  return withQuery("api/ui/tracking-runs", values) + rest.join("");
}

/** @param {{address: string, first: any, order: string, best: string, axes: {x: string, y: string}, chosen: string[], open: (run: any) => string}} props */
function Rows({ address, first, order, best, axes, chosen, open }) {
  // pages that follow have the columns of the first one
  const path = address.includes("&columns=") ? address : address + first.columns.map((/** @type {string} */ one) => `&columns=${encodeURIComponent(one)}`).join("");
  const pages = useMore(path, first);
  return html`${(axes.x || axes.y) && html`<${Scatter} runs=${pages.items} fields=${first.fields} x=${axes.x} y=${axes.y} choose=${(/** @type {string} */ axis, /** @type {string} */ field) => setQuery(axis, field)} address=${open} />`}
    <${Table} runs=${pages.items} columns=${first.columns} pinned=${first.best} order=${order} best=${best} chosen=${chosen} open=${open} />
    <${More} list=${pages} words="Show more runs" />`;
}

/** Show the scatter with two fields to begin with, or take it away. @param {string[]} columns @param {boolean} there */
function swap(columns, there) {
  const metric = columns.find(isMetric) ?? columns[0] ?? "";
  setQuery("x", there ? "" : (columns.find((one) => one.startsWith("params.")) ?? columns.find((one) => one !== metric) ?? metric));
  setQuery("y", there ? "" : metric);
}

/** Columns: those that are shown, and any other by a part of its name. @param {{name: string, fields: string[], columns: string[]}} props */
function Columns({ name, fields, columns }) {
  const turn = (/** @type {string} */ field) => choose(name, columns.includes(field) ? columns.filter((one) => one !== field) : [...columns, field].slice(-MOST_COLUMNS));
  const row = (/** @type {string} */ field) => html`<span class="quiet">${parted(field).part}</span> <span dir="auto">${nameOf(field)}</span>`;
  return html`<${Picker} words="Columns" label="Search columns" all=${[...columns.filter((field) => !fields.includes(field)), ...fields]} chosen=${columns} turn=${turn} row=${row} none="No run on this page has such a field.">
    <button onClick=${() => choose(name, [])}>Those that differ</button><//>`;
}

/** Which run stays on top. @param {{columns: string[], best: string}} props */
function Best({ columns, best }) {
  const options = columns.filter(isMetric).flatMap((field) => [[`${term(field)} ASC`, `lowest ${nameOf(field)}`], [`${term(field)} DESC`, `highest ${nameOf(field)}`]]);
  if (best && !options.some(([value]) => value === best)) options.push([best, best]);
  return html`<label>Pin the best <select value=${best} onChange=${(/** @type {any} */ event) => setQuery("best", event.currentTarget.value)}><option value="">none</option>
    ${options.map(([value, words]) => html`<option key=${value} value=${value} selected=${value === best}>${words}</option>`)}</select></label>`;
}

/** @typedef {{glyph: string, words: string}} Mark */

/**
 * Give what marks values of metrics: the best of one by which runs are ordered or pinned, of others the lowest and the highest.
 * @param {any[]} runs
 * @param {string[]} columns
 * @param {string[]} orders
 */
function marksOf(runs, columns, orders) {
  const found = /** @type {Map<string, Map<number, Mark>>} */ (new Map());
  for (const field of columns.filter(isMetric)) {
    const values = runs.map((run) => number(run.values[field])).filter((value) => value !== null);
    const low = Math.min(...values), high = Math.max(...values);
    if (low === high || !values.length) continue;
    if (orders.includes(`${term(field)} ASC`)) found.set(field, new Map([[low, { glyph: "★", words: "the best: the lowest" }]]));
    else if (orders.includes(`${term(field)} DESC`)) found.set(field, new Map([[high, { glyph: "★", words: "the best: the highest" }]]));
    else if (values.length > 2) found.set(field, new Map([[low, { glyph: "▾", words: "the lowest" }], [high, { glyph: "▴", words: "the highest" }]]));
  }
  return found;
}

/** @param {{runs: any[], columns: string[], pinned: any, order: string, best: string, chosen: string[], open: (run: any) => string}} props */
function Table({ runs, columns, pinned, order, best, chosen, open }) {
  const sorted = (/** @type {string} */ field) => (order === `${term(field)} ASC` ? "ascending" : order === `${term(field)} DESC` ? "descending" : "none");
  const turn = (/** @type {string} */ field) => setQuery("order", { none: `${term(field)} ASC`, ascending: `${term(field)} DESC`, descending: "" }[sorted(field)]);
  const compare = (/** @type {string} */ id) => setQuery("runs", joined(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id].slice(-MOST_COMPARED)));
  const marks = marksOf(pinned ? [pinned, ...runs] : runs, columns, [order, best]);
  const value = (/** @type {any} */ run, /** @type {string} */ field) => {
    const mark = marks.get(field)?.get(run.values[field]);
    return html`<td key=${field} class=${isMetric(field) ? "number" : ""} dir=${isMetric(field) ? undefined : "auto"} title=${mark ? `${run.values[field]}, ${mark.words}` : (run.values[field] ?? "")}>${mark && html`<span class=${mark.glyph === "★" ? "extreme best" : "extreme"}><i aria-hidden="true">${mark.glyph}</i><span class="unseen">${mark.words}</span></span> `}${fieldCell(field, run.values[field])}</td>`;
  };
  const row = (/** @type {any} */ run, isPinned = false) => html`<tr key=${isPinned ? "best" : run.id} class=${isPinned ? "pinned" : ""}>
    <td><input type="checkbox" aria-label=${`Compare ${run.name}${isPinned ? ", the best" : ""}`} checked=${chosen.includes(run.id)} onChange=${() => compare(run.id)} /></td>
    <td dir="auto" title=${run.note || run.id}>${isPinned && html`<b title="The best">★ </b>`}<a href=${open(run)}>${run.name}</a>${run.note && html` <span class="quiet">${run.note}</span>`}</td>
    <td><${Status} status=${run.status} /></td><td><${When} at=${run.started_at} /></td><td class="number">${span(run.duration_s)}</td>${columns.map((field) => value(run, field))}</tr>`;
  return html`<div class="scroll"><table class="rows" aria-label="Tracking runs"><thead><tr><th>Compare</th><th>Run</th><th>Status</th><th>Began</th><th class="number">Took</th>
      ${columns.map((field) => html`<th key=${field} class=${isMetric(field) ? "number" : ""} aria-sort=${sorted(field)}><button class="plain" onClick=${() => turn(field)} title=${`Order by ${field}`}>${nameOf(field)}${{ ascending: " ↑", descending: " ↓", none: "" }[sorted(field)]}</button></th>`)}</tr></thead>
    <tbody>${pinned && row(pinned, true)}${runs.map((run) => row(run))}</tbody></table></div>
    ${[...marks.values()].some((found) => found.size > 1) && html`<p class="quiet">▾ the lowest and ▴ the highest value of a metric here; order by a metric, or pin its best, and ★ marks it.</p>`}`;
}
