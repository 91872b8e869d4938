/** Artifacts: tables, Markdown as text, links, images. Nothing of them runs in this page. */
import { html } from "../lib/html.js";
import { full } from "../lib/time.js";

const MOST_ROWS = 200;

/** @param {{found: any[]}} props */
export function Artifacts({ found }) {
  return found.map((one) => html`<article key=${one.id} class="artifact">
    <h2 dir="auto">${one.key ?? one.kind} <span class="quiet">${one.kind}, ${full(one.at)}</span></h2>
    ${one.description && html`<p dir="auto">${one.description}</p>`}
    <${Content} one=${one} />
  </article>`);
}

/** @param {{one: any}} props */
function Content({ one }) {
  if (one.kind === "table") return html`<${Table} data=${one.data} />`;
  if (one.kind === "link") {
    const safe = /^https?:\/\//.test(one.data.url);
    return html`<p>${safe ? html`<a href=${one.data.url} target="_blank" rel="noreferrer noopener">${one.data.text || one.data.url}</a>` : one.data.url}</p>`;
  }
  if (one.blob) return html`<img src=${`api/blobs/${one.blob}`} alt=${one.description || one.key || "image"} />`;
  return html`<pre class="trace" tabindex="0">${typeof one.data === "string" ? one.data : JSON.stringify(one.data, null, 2)}</pre>`;
}

/** @param {{data: {columns: string[], rows: any[][]}}} props */
function Table({ data }) {
  return html`<div class="scroll" tabindex="0"><table class="rows"><thead><tr>${data.columns.map((name) => html`<th key=${name}>${name}</th>`)}</tr></thead>
    <tbody>${data.rows.slice(0, MOST_ROWS).map((row, at) => html`<tr key=${at}>${row.map((cell, column) => html`<td key=${column} class=${typeof cell === "number" ? "number" : ""}>${String(cell ?? "")}</td>`)}</tr>`)}</tbody></table></div>
    ${data.rows.length > MOST_ROWS && html`<p class="quiet">${(data.rows.length - MOST_ROWS).toLocaleString("en")} more rows.</p>`}`;
}
