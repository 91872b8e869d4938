/** Tasks by runs: how long each run took, how it went, and how each task in it went. The arrow keys move. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { glyphOf, hasEnded, isBad, kindOf, ORDER } from "../lib/states.js";
import { full, span } from "../lib/time.js";

const WIDE = 17, HIGH = 64;
const STEPS = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] });

/** @param {{runs: any[], tasks: any[], p50: number | null}} props */
export function Grid({ runs, tasks, p50 }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [[row, column], setAt] = useState([0, Math.max(0, runs.length - 1)]);
  const last = runs.length - 1;
  const most = Math.max(0.001, ...runs.map((run) => run.duration_s ?? 0));
  const here = [Math.min(row, tasks.length), Math.min(column, last)];
  useLayoutEffect(() => {
    if (box.current) box.current.scrollLeft = box.current.scrollWidth; // the newest run is at the right
  }, [runs.length]);
  function move(/** @type {any} */ event) {
    const step = STEPS[event.key] ?? (event.key === "Home" ? [0, -last] : event.key === "End" ? [0, last] : null);
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const target = [clamp((here[0] ?? 0) + step[0], tasks.length), clamp((here[1] ?? 0) + step[1], last)];
    setAt(/** @type {[number, number]} */ (target));
    event.currentTarget.querySelector(`[data-spot="${target.join("/")}"]`)?.focus();
  }
  /** One cell: a link when there is something to open. */
  function cell(/** @type {number} */ y, /** @type {number} */ x, /** @type {string} */ label, /** @type {string | null} */ state, /** @type {string} */ href) {
    const spot = { "data-spot": `${y}/${x}`, tabindex: y === here[0] && x === here[1] ? 0 : -1, "aria-label": label, title: label, onFocus: () => setAt([y, x]) };
    return state
      ? html`<td key=${runs[x].id} role="gridcell"><a ...${spot} href=${href} data-kind=${kindOf(state)} data-bad=${isBad(state)}>${glyphOf(state)}</a></td>`
      : html`<td key=${runs[x].id} role="gridcell" ...${spot} />`;
  }
  return html`<div class="scroll grid" ref=${box}><table role="grid" aria-label="Tasks by runs" onKeyDown=${move}>
    <thead aria-hidden="true"><tr><th class="quiet">took ${span(most)} at most</th><td colspan=${runs.length}><${Trend} runs=${runs} most=${most} p50=${p50} /></td></tr></thead>
    <tbody><tr><th scope="row" role="rowheader">Run</th>${runs.map((run, x) => cell(0, x, `${run.name}, ${run.state}${run.duration_s === null ? "" : `, took ${span(run.duration_s)}`}${run.started_at ? `, began ${full(run.started_at)}` : ""}`, run.state, to("runs", run.id)))}</tr>
      ${tasks.map((task, y) => html`<tr key=${task.task}><th scope="row" role="rowheader" dir="auto" title=${task.task}>${task.task}</th>${task.cells.map((/** @type {any} */ one, /** @type {number} */ x) => {
        const run = runs[x];
        if (!one) return cell(y + 1, x, `${task.task} did not run in ${run.name}`, null, "");
        const states = ORDER.filter((state) => one.states[state]);
        const n = states.reduce((sum, state) => sum + one.states[state], 0);
        const words = n === 1 ? states[0] : states.map((state) => `${one.states[state].toLocaleString("en")} ${state}`).join(", ");
        const address = n === 1 ? to("runs", run.id, "tasks", String(one.no)) : to("runs", run.id);
        return cell(y + 1, x, `${task.task} in ${run.name}: ${words}`, states.find(isBad) ?? states[0] ?? "Pending", address);
      })}</tr>`)}</tbody></table></div>`;
}

const clamp = (/** @type {number} */ at, /** @type {number} */ most) => Math.max(0, Math.min(at, most));

/** How long each run took, and what half of those that completed did not exceed. @param {{runs: any[], most: number, p50: number | null}} props */
function Trend({ runs, most, p50 }) {
  const y = (/** @type {number} */ seconds) => HIGH - 2 - ((HIGH - 6) * seconds) / most;
  return html`<svg class="trend" width=${runs.length * WIDE} height=${HIGH}>
    ${runs.map((run, x) => run.duration_s !== null && html`<rect key=${run.id} x=${x * WIDE + 3} y=${Math.min(y(run.duration_s), HIGH - 4)} width=${WIDE - 6} height=${Math.max(2, HIGH - 2 - y(run.duration_s))} data-kind=${kindOf(run.state)} data-ended=${hasEnded(run.state)} />`)}
    ${p50 !== null && html`<line x1="0" x2=${runs.length * WIDE} y1=${y(p50)} y2=${y(p50)} />`}
  </svg>`;
}
