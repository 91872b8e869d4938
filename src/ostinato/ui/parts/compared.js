/** Some tracking runs beside one another: only what differs, and what each metric did over its steps. */
import { useEffect, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { columnsOf, shown } from "../lib/values.js";
import { Failure, Skeleton } from "./notices.js";

const WIDE = 560, HIGH = 180, PAD = 8;
const DASHES = ["", "6 3", "2 3", "9 3 2 3"];

/** @param {{runs: string[], close: () => void}} props */
export function Compared({ runs: ids, close }) {
  const [runs, setRuns] = useState(/** @type {any[] | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  useEffect(() => {
    let over = false;
    Promise.all(ids.map((id) => ask(`api/tracking-runs/${id}`))).then(
      (found) => !over && setRuns(found),
      (problem) => !over && setError(problem),
    );
    return () => void (over = true);
  }, [ids.join()]);
  if (error) return html`<${Failure} error=${error} />`;
  if (!runs) return html`<${Skeleton} rows=${3} />`;
  const differ = (/** @type {"params" | "metrics"} */ part) => columnsOf(runs, part).filter((key) => new Set(runs.map((run) => String(run[part][key]))).size > 1);
  const params = differ("params"), metrics = differ("metrics");
  const all = columnsOf(runs, "metrics");
  return html`<section class="compared" aria-label="Comparison"><div class="title"><h2>What differs</h2><button onClick=${close}>Close</button></div>
    <div class="scroll"><table class="rows"><thead><tr><th>Value</th>${runs.map((run, at) => html`<th key=${run.id} dir="auto"><${Line} at=${at} /> ${run.name}</th>`)}</tr></thead>
      <tbody>${params.map((key) => html`<tr key=${`p${key}`}><td>${key}</td>${runs.map((run) => html`<td key=${run.id} dir="auto">${run.params[key] ?? ""}</td>`)}</tr>`)}
        ${metrics.map((key) => html`<tr key=${`m${key}`}><td>${key}</td>${runs.map((run) => html`<td key=${run.id}>${shown(run.metrics[key])}</td>`)}</tr>`)}
        ${!params.length && !metrics.length && html`<tr><td>Nothing: parameters and metrics are equal.</td></tr>`}</tbody></table></div>
    <div class="charts">${all.slice(0, 6).map((key) => html`<${Series} key=${key} metric=${key} runs=${runs} />`)}</div></section>`;
}

/** How a run is drawn. @param {{at: number}} props */
function Line({ at }) {
  return html`<svg width="28" height="10" aria-hidden="true"><line x1="0" x2="28" y1="5" y2="5" class=${`line-${at}`} stroke-dasharray=${DASHES[at]} /></svg>`;
}

/** @param {{metric: string, runs: any[]}} props */
function Series({ metric, runs }) {
  const [lines, setLines] = useState(/** @type {any[][]} */ ([]));
  useEffect(() => {
    let over = false;
    Promise.all(runs.map((run) => (metric in run.metrics ? ask(withQuery(`api/tracking-runs/${run.id}/history`, { key: metric, most: WIDE })) : []))).then(
      (found) => !over && setLines(found.map((points) => points.filter((/** @type {any} */ point) => typeof point.value === "number"))),
      () => {},
    );
    return () => void (over = true);
  }, [metric, runs]);
  const all = lines.flat();
  if (!lines.some((points) => points.length > 1)) return null;
  const steps = all.map((point) => point.step), values = all.map((point) => point.value);
  const [left, right] = [Math.min(...steps), Math.max(...steps)], [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (/** @type {number} */ step) => PAD + ((step - left) / Math.max(1, right - left)) * (WIDE - 2 * PAD);
  const y = (/** @type {number} */ value) => HIGH - PAD - ((value - low) / (high - low || 1)) * (HIGH - 2 * PAD);
  const words = `${metric} from step ${left} to ${right}, between ${shown(low)} and ${shown(high)}`;
  return html`<figure><figcaption>${metric} <span class="quiet">${shown(low)} to ${shown(high)}</span></figcaption>
    <svg viewBox=${`0 0 ${WIDE} ${HIGH}`} role="img" aria-label=${words}>
      ${lines.map((points, at) => html`<polyline key=${runs[at]?.id} class=${`line-${at}`} stroke-dasharray=${DASHES[at]} points=${points.map((point) => `${x(point.step).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ")} />`)}
    </svg><p class="axis quiet"><span>step ${left}</span><span>${right}</span></p></figure>`;
}
