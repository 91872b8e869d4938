/** Some tracking runs beside one another: only what differs, and what each metric did over its steps. */
import { useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { cell, joined, metric } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Failure, Skeleton } from "./notices.js";
import { Picker } from "./picker.js";
import { Series, Stroke } from "./series.js";

const MOST_CHARTS = 60;
const MOST_TOGETHER = 4;
const CONCERNS = new Set(["tracking-changed", "metrics-logged", "params-logged"]);
const WORDS = /** @type {Record<string, string>} */ ({ metrics: "Metrics", params: "Parameters", tags: "Tags", code: "Code", data: "Data", environment: "Environment" });

/** @param {{runs: string[], address: (run: any) => string, close: () => void}} props */
export function Compared({ runs: ids, address, close }) {
  const { data, error, again } = useView(`api/ui/comparison?run=${ids.map(encodeURIComponent).join("&run=")}`, (event) => CONCERNS.has(event.kind) && ids.includes(event.data?.run_id), 2000);
  if (!data) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} rows=${3} />`;
  const parts = Object.keys(WORDS).filter((part) => data.rows.some((/** @type {any} */ row) => row.part === part));
  const told = (/** @type {string} */ part, /** @type {any} */ value) => (value === null ? html`<span class="quiet">none</span>` : part === "metrics" ? metric(value) : cell(value));
  return html`<section class="compared" aria-label="Comparison"><div class="title"><h2>What differs</h2><span class="actions"><button onClick=${close}>Close</button></span></div>
    <div class="scroll"><table class="rows"><thead><tr><th>Field</th>${data.runs.map((/** @type {any} */ run, /** @type {number} */ at) => html`<th key=${run.id} dir="auto"><${Stroke} at=${at} /> <a href=${address(run)}>${run.name}</a></th>`)}</tr></thead>
      ${parts.map((part) => html`<tbody key=${part}><tr class="group"><th scope="rowgroup" colspan=${data.runs.length + 1}>${WORDS[part]}</th></tr>
        ${data.rows.filter((/** @type {any} */ row) => row.part === part).map((/** @type {any} */ row) => html`<tr key=${row.name}><td dir="auto">${row.name}</td>
          ${row.values.map((/** @type {any} */ value, /** @type {number} */ at) => html`<td key=${at} dir="auto" title=${value ?? ""}>${told(part, value)}</td>`)}</tr>`)}</tbody>`)}
    </table></div>
    <p class="quiet">${parts.length ? "" : "Nothing differs. "}${data.n_equal.toLocaleString("en")} fields are equal${data.n_left_out ? `, ${data.n_left_out.toLocaleString("en")} more differ` : ""}.</p>
    ${data.metrics.length > 0 && html`<${Charts} metrics=${data.metrics} runs=${data.runs} />`}</section>`;
}

/**
 * Charts of metrics, one beside the other, with what holds for all of them; some metrics of one run in one chart.
 * @param {{metrics: string[], runs: any[]}} props
 */
export function Charts({ metrics, runs }) {
  const [smoothing, setSmoothing] = useState(0);
  const [by, setBy] = useState(/** @type {import("./series.js").By} */ ("step"));
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(/** @type {string[]} */ ([]));
  const found = metrics.filter((one) => one.toLowerCase().includes(text.toLowerCase()));
  const turn = (/** @type {string} */ one) => setChosen(chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one].slice(-MOST_TOGETHER));
  return html`<div class="bar" role="group" aria-label="Charts">
      ${metrics.length > 4 && html`<label>Metrics <input type="search" value=${text} placeholder=${`${metrics.length.toLocaleString("en")} metrics`} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></label>`}
      ${metrics.length > 1 && runs.length === 1 && html`<${Picker} words="In one chart" label="Search metrics for one chart" all=${metrics} chosen=${chosen} turn=${turn} none="No metric has such a name."><p class="quiet">Two to ${MOST_TOGETHER} metrics are drawn over one another.</p><//>`}
      <label>Smoothing <input type="range" min="0" max="0.99" step="0.01" value=${smoothing} onInput=${(/** @type {any} */ event) => setSmoothing(Number(event.currentTarget.value))} /> <output class="number">${smoothing.toFixed(2)}</output></label>
      <label>By <select value=${by} onChange=${(/** @type {any} */ event) => setBy(event.currentTarget.value)}><option value="step">step</option><option value="time">time since the run began</option><option value="clock">date and time</option></select></label></div>
    <div class="charts">${chosen.length > 1 && html`<${Series} key=${joined(chosen)} metrics=${chosen} runs=${runs} smoothing=${smoothing} by=${by} />`}
      ${found.slice(0, MOST_CHARTS).map((one) => html`<${Series} key=${one} metrics=${[one]} runs=${runs} smoothing=${smoothing} by=${by} />`)}</div>
    ${found.length > MOST_CHARTS && html`<p class="quiet">${(found.length - MOST_CHARTS).toLocaleString("en")} more: narrow the metrics by a part of their name.</p>`}`;
}
