/** Events: what happened, the newest first, as it happens. */
import { useRef, useState } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { KINDS } from "../lib/feed.js";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { place, setQuery, to } from "../lib/route.js";
import { does } from "../lib/rows.js";
import { full } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { More } from "../parts/more.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { State } from "../parts/state.js";

/** Kinds of which there are very many: left out until somebody asks for them. */
const MANY = ["logged", "task-started", "task-moved", "metrics-logged", "params-logged", "tags-logged", "cache-stored", "checkpoint-saved",
  "tick-planned", "schedule-planned", "run-released", "run-claimed"];
const FEW = MANY.map((kind) => `-${kind}`).join(",");

export function Events() {
  const kinds = place.value.query.get("kinds") ?? "", run = place.value.query.get("run") ?? "";
  const known = useRef(/** @type {Set<string>} */ (new Set()));
  const path = withQuery("api/events", { kinds: kinds === "all" ? "" : kinds || FEW, run, limit: 100 });
  const chosen = new Set(kinds === "all" ? KINDS : kinds ? kinds.split(",") : KINDS.filter((kind) => !MANY.includes(kind)));
  const { data, error, again } = useView(path, (event) => chosen.has(event.kind)
    && (!run || known.current.has(event.data.run_id) || known.current.has(event.data.parent_id)), 1000);
  if (data) known.current = new Set(data.items.map((/** @type {any} */ one) => one.run_id));
  return html`<h1>Events</h1>
    <form class="query" role="search" onSubmit=${(/** @type {any} */ event) => {
      event.preventDefault();
      setQuery("run", event.currentTarget.elements.run.value.trim(), false);
    }}>
      <input name="run" data-search type="search" aria-label="Run" key=${run} defaultValue=${run} placeholder="Of one run: its name, or the beginning of its id" spellcheck=${false} autocomplete="off" />
      <select aria-label="Kind" value=${kinds} onChange=${(/** @type {any} */ event) => setQuery("kinds", event.currentTarget.value, false)}>
        <option value="">Without log lines, tasks and metrics</option><option value="all">All kinds</option>
        ${kinds.includes(",") && html`<option value=${kinds}>${kinds}</option>`}
        ${KINDS.map((kind) => html`<option key=${kind} value=${kind}>${said(kind)}</option>`)}</select>
      <button>Search</button>
    </form>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} rows=${12} />`}
    ${data && html`<${Rows} path=${path} first=${data} />`}`;
}

/** @param {{path: string, first: any}} props */
function Rows({ path, first }) {
  const pages = useMore(path, first);
  if (!pages.items.length && !pages.next) {
    return html`<${Empty} title="Nothing that matches has happened"><p>Runs, workers, deployments and models tell here what happens to them.
      Events are kept for some days (<code>keep_blocks_days</code>); what they made stays.</p><//>`;
  }
  return html`${pages.items.length > 0
    ? html`<div class="scroll"><table class="rows events" aria-label="Events"><thead><tr><th>When</th><th>What</th><th>Run</th><th>More</th></tr></thead>
      <tbody>${pages.items.map((one) => html`<${Row} key=${one.id} one=${one} />`)}</tbody></table></div>`
    : html`<p class="quiet">None among the newest ones.</p>`}
    <${More} list=${pages} words=${pages.items.length ? "Show older events" : "Look further back"} />`;
}

/** @param {{one: any}} props */
function Row({ one }) {
  const [open, setOpen] = useState(false);
  return html`<tr ...${does((row) => row.querySelector("summary")?.click())}><td><time datetime=${one.at}>${full(one.at)}</time></td><td>${said(one.kind)}</td>
    <td>${one.run_id && (one.run ? html`<a href=${to("runs", one.run_id)} dir="auto" title=${one.run}>${one.run}</a>` : html`<code class="quiet" title=${one.run_id}>${one.run_id.slice(0, 12)}</code>`)}</td>
    <td class="wrap"><details onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}><summary><${Words} kind=${one.kind} data=${one.data} /></summary>
      ${open && html`<pre class="trace" tabindex="0" aria-label="The event">${JSON.stringify(one.data, null, 2)}</pre>`}</details></td></tr>`;
}

const said = (/** @type {string} */ kind) => kind.replaceAll("-", " ");

/** An event in a few words. @param {{kind: string, data: any}} props */
function Words({ kind, data }) {
  if (data.state && /^(run|task)-/.test(kind)) {
    const what = kind === "task-started" ? data.name : kind === "task-moved" ? `task run ${data.no}` : kind === "run-created" ? `flow ${data.flow}` : "";
    return html`<span dir="auto">${what} <${State} state=${data.state} /> <span class="quiet">${data.message ?? ""}</span></span>`;
  }
  const one = data.deployment?.title ?? data.worker?.name ?? data.name ?? data.key ?? data.model ?? data.path ?? data.id ?? "";
  const keys = Object.keys(data.params ?? data.newest ?? data.tags ?? {}).join(", ");
  const words = kind === "logged" ? [data.text] : kind === "audited" ? [data.action, data.subject, data.detail] : [data.kind, one || keys, data.version && `version ${data.version}`, data.alias && `@${data.alias}`, data.status ?? data.state, data.message];
  const text = words.filter(Boolean).map((word) => (typeof word === "string" ? word : JSON.stringify(word))).join(" ");
  return html`<span dir="auto">${text.slice(0, 300) || said(kind)}${data.actor && html` <span class="quiet">by ${data.actor}</span>`}</span>`;
}
