/** Columns of data: type, what is missing, moments, and the values as bars. */
import { useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { shown } from "../lib/values.js";

const WIDE = 168, HIGH = 28, STEP = 50;

/** @param {{columns: any[], counted: boolean}} props */
export function Columns({ columns, counted }) {
  const [text, setText] = useState("");
  const [most, setMost] = useState(STEP);
  const found = columns.filter((one) => one.name.toLowerCase().includes(text.toLowerCase()));
  const value = (/** @type {number | null | undefined} */ one) => (one === null || one === undefined ? "" : shown(one));
  return html`${columns.length > 20 && html`<p><input type="search" aria-label="Search columns" placeholder="Part of a name" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></p>`}
    <div class="scroll"><table class="rows" aria-label="Columns"><thead><tr><th>Column</th><th>Type</th>${counted && html`<th>Values</th><th class="number">Missing</th><th class="number">Least</th><th class="number">Median</th><th class="number">Most</th><th class="number">Mean</th><th class="number">Deviation</th>`}</tr></thead>
      <tbody>${found.slice(0, most).map((one) => html`<tr key=${one.name}><td dir="auto" title=${one.name}>${one.name}</td><td><code>${one.type}</code></td>${counted && html`<td><${Bars} column=${one} /></td>
        <td class="number">${one.n ? `${((one.n_missing / one.n) * 100).toFixed(one.n_missing ? 1 : 0)} %` : ""}</td><td class="number">${value(one.least)}</td><td class="number">${value(one.median)}</td><td class="number">${value(one.most)}</td><td class="number">${value(one.mean)}</td><td class="number">${value(one.deviation)}</td>`}</tr>`)}</tbody></table></div>
    ${found.length > most && html`<button class="more" onClick=${() => setMost(most + 2 * STEP)}>Show more columns</button>`}`;
}

/** The values of a column: numbers in parts of equal width, words the most frequent first. @param {{column: any}} props */
function Bars({ column }) {
  const { bars, words, begin, end, n_other } = column;
  if (!bars.length) return html`<span class="quiet">${column.n && column.n === column.n_missing ? "all missing" : "not counted"}</span>`;
  const top = Math.max(...bars), wide = WIDE / Math.max(bars.length, 4);
  const told = words.length
    ? `${words.slice(0, 5).map((/** @type {string} */ word, /** @type {number} */ at) => `${word}: ${bars[at].toLocaleString("en")}`).join(", ")}${n_other || words.length > 5 ? ` and others: ${(n_other + bars.slice(5).reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0)).toLocaleString("en")}` : ""}`
    : `from ${shown(begin)} to ${shown(end)} in ${bars.length} bars, the highest has ${Math.round(top).toLocaleString("en")} rows`;
  return html`<svg class="bars" width=${WIDE} height=${HIGH} role="img" aria-label=${told}><title>${told}</title>${bars.map((/** @type {number} */ n, /** @type {number} */ at) => {
    const high = n > 0 ? Math.max(1, (n / top) * HIGH) : 0;
    return html`<rect key=${at} x=${at * wide} y=${HIGH - high} width=${Math.max(1, wide - 1)} height=${high} />`;
  })}</svg>${words.length > 0 && html` <span class="quiet" dir="auto">${words.slice(0, 2).join(", ")}${words.length > 2 || n_other ? ", ..." : ""}</span>`}`;
}
