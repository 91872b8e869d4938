/** Artifacts: tables, Markdown, links, images, pages. Nothing of them runs in this page; of what is large the beginning is shown. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { full } from "../lib/time.js";
import { bytes } from "../lib/values.js";
import { Markdown } from "./markdown.js";
import { Failure } from "./notices.js";

/** @param {{found: any[]}} props */
export function Artifacts({ found }) {
  return found.map((one) => html`<article key=${one.id} class="artifact">
    <h2><a href=${to("artifacts", String(one.id))} dir="auto">${one.key ?? one.kind}</a> <span class="quiet">${one.kind}, ${full(one.at)}</span></h2>
    ${one.description && html`<p dir="auto">${one.description}</p>`}
    <${Content} one=${one} />
  </article>`);
}

/** @param {{one: any, words?: string}} props */
export function Download({ one, words = "Download" }) {
  return html`<a class="button" href=${`api/artifacts/${one.id}/content?download=true`} download>${words}</a>`;
}

/** What an artifact holds. @param {{one: any, level?: number}} props */
export function Content({ one, level = 3 }) {
  const words = one.description || one.key || one.kind;
  if (one.kind === "html") return html`<${Page} id=${one.id} words=${words} />`;
  if (one.kind === "image") return html`<img src=${`api/artifacts/${one.id}/content`} alt=${words} loading="lazy" />`;
  if (one.data === null) return one.whole === false ? html`<${Later} one=${one} />` : null;
  return html`<${Shown} kind=${one.kind} data=${one.data} words=${words} level=${level} />
    ${one.whole === false && html`<p class="quiet">Only the beginning of ${bytes(one.size_bytes)}. <${Download} one=${one} words="Download all of it" /></p>`}`;
}

/** @param {{kind: string, data: any, words: string, level: number}} props */
function Shown({ kind, data, words, level }) {
  if (kind === "table" && Array.isArray(data?.rows)) return html`<${Table} data=${data} words=${words} />`;
  if (kind === "markdown" && typeof data === "string") return html`<${Markdown} text=${data} level=${level} />`;
  if (kind === "link" && typeof data?.url === "string") {
    const safe = /^https?:\/\//i.test(data.url);
    return html`<p dir="auto">${safe ? html`<a href=${data.url} target="_blank" rel="noreferrer noopener">${data.text || data.url}</a>` : html`<code>${data.url}</code>`}</p>`;
  }
  return html`<pre class="trace" tabindex="0" aria-label=${words}>${typeof data === "string" ? data : JSON.stringify(data, null, 2)}</pre>`;
}

/** Something large: asked for when somebody wants to see it. @param {{one: any}} props */
function Later({ one }) {
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const open = () => ask(`api/ui/artifacts/${one.id}`).then((answer) => setFound(answer.artifact), setError);
  if (found) return html`<${Content} one=${found} />`;
  return html`${error && html`<${Failure} error=${error} />`}<p>${bytes(one.size_bytes)} <button onClick=${open}>Show the beginning</button> <${Download} one=${one} /></p>`;
}

/** A page in a place of its own: it reads nothing of ours, and runs its scripts only when somebody says so. @param {{id: number, words: string}} props */
function Page({ id, words }) {
  const [runs, setRuns] = useState(false);
  return html`<iframe key=${runs} class="page" title=${words} sandbox=${runs ? "allow-scripts" : ""} referrerpolicy="no-referrer" loading="lazy"
      src=${`api/artifacts/${id}/content${runs ? "?scripts=true" : ""}`} />
    <p><label><input type="checkbox" checked=${runs} onChange=${() => setRuns(!runs)} /> Run its scripts (without access to Ostinato or to the network)</label></p>`;
}

/** @param {{data: {columns: any[], rows: any[][], n_rows?: number}, words: string}} props */
function Table({ data, words }) {
  const rest = (data.n_rows ?? data.rows.length) - data.rows.length;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${words}><table class="rows">
      <thead><tr>${data.columns.map((name, at) => html`<th key=${at} dir="auto" class=${typeof data.rows[0]?.[at] === "number" ? "number" : ""}>${String(name)}</th>`)}</tr></thead>
      <tbody>${data.rows.map((row, y) => html`<tr key=${y}>${row.map((cell, x) => html`<td key=${x} dir="auto" class=${typeof cell === "number" ? "number" : ""}>${typeof cell === "object" && cell !== null ? JSON.stringify(cell) : String(cell ?? "")}</td>`)}</tr>`)}</tbody></table></div>
    ${rest > 0 && html`<p class="quiet">${rest.toLocaleString("en")} more rows.</p>`}`;
}
