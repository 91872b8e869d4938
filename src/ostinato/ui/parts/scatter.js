/** Two fields of runs against one another: a dot a run. */
import { html } from "../lib/html.js";
import { go } from "../lib/route.js";
import { cell, isNumeric, nameOf, number } from "../lib/values.js";

const WIDE = 720, HIGH = 320, LEFT = 64, BELOW = 28, PAD = 12;

/**
 * @param {{runs: any[], fields: string[], x: string, y: string, choose: (axis: "x" | "y", field: string) => void, address: (run: any) => string}} props
 */
export function Scatter({ runs, fields, x, y, choose, address }) {
  const axes = fields.filter((field) => field.startsWith("metrics.") || runs.some((run) => isNumeric(run.values[field])) || field === x || field === y);
  const dots = runs.flatMap((run) => {
    const [a, b] = [number(run.values[x]), number(run.values[y])];
    return a === null || b === null ? [] : [{ run, a, b }];
  });
  const select = (/** @type {"x" | "y"} */ axis, /** @type {string} */ value) => html`<label>${axis === "x" ? "Across" : "Up"} <select value=${value} onChange=${(/** @type {any} */ event) => choose(axis, event.currentTarget.value)}>
    <option value="">choose</option>${axes.map((field) => html`<option key=${field} value=${field} selected=${field === value}>${nameOf(field)}</option>`)}</select></label>`;
  return html`<section class="compared" aria-label="Scatter"><div class="bar"><h2>One field against another</h2>${select("x", x)} ${select("y", y)}
      ${x && y && html`<span class="quiet">${dots.length.toLocaleString("en")} of ${runs.length.toLocaleString("en")} runs have both as finite numbers</span>`}</div>
    ${dots.length > 0 && html`<${Dots} dots=${dots} x=${x} y=${y} address=${address} />`}</section>`;
}

/** @param {{dots: {run: any, a: number, b: number}[], x: string, y: string, address: (run: any) => string}} props */
function Dots({ dots, x, y, address }) {
  const scale = (/** @type {number[]} */ values, /** @type {number} */ from, /** @type {number} */ to) => {
    const low = Math.min(...values), high = Math.max(...values);
    return { low, high, at: (/** @type {number} */ value) => (high > low ? from + ((value - low) / (high - low)) * (to - from) : (from + to) / 2) };
  };
  const across = scale(dots.map((dot) => dot.a), LEFT + PAD, WIDE - PAD), up = scale(dots.map((dot) => dot.b), HIGH - BELOW - PAD, PAD);
  const step = (/** @type {KeyboardEvent} */ event, /** @type {string} */ to) => {
    if (event.key === "Enter") return go(to);
    const next = { ArrowRight: "nextElementSibling", ArrowDown: "nextElementSibling", ArrowLeft: "previousElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!next || !(event.currentTarget instanceof Element)) return;
    event.preventDefault();
    const other = next === "nextElementSibling" ? event.currentTarget.nextElementSibling : event.currentTarget.previousElementSibling;
    if (other instanceof SVGElement) other.focus();
  };
  const sorted = dots.toSorted((one, two) => one.a - two.a);
  return html`<svg class="scatter" viewBox=${`0 0 ${WIDE} ${HIGH}`} role="group" aria-label=${`${nameOf(y)} against ${nameOf(x)}`}>
    <path class="frame" d=${`M${LEFT} ${PAD / 2}V${HIGH - BELOW}H${WIDE - PAD / 2}`} />
    <text x=${LEFT - 6} y=${up.at(up.high) + 4} text-anchor="end">${cell(up.high)}</text><text x=${LEFT - 6} y=${up.at(up.low) + 4} text-anchor="end">${up.high > up.low ? cell(up.low) : ""}</text>
    <text x=${LEFT + PAD} y=${HIGH - 8}>${cell(across.low)}</text><text x=${WIDE - PAD} y=${HIGH - 8} text-anchor="end">${across.high > across.low ? cell(across.high) : ""}</text>
    <g>${sorted.map(({ run, a, b }, index) => {
      const words = `${run.name}: ${nameOf(x)} ${cell(a)}, ${nameOf(y)} ${cell(b)}`;
      return html`<circle key=${run.id} cx=${across.at(a)} cy=${up.at(b)} r="5" tabindex=${index ? -1 : 0} role="link" aria-label=${words}
        onClick=${() => go(address(run))} onKeyDown=${(/** @type {KeyboardEvent} */ event) => step(event, address(run))}><title>${words}</title></circle>`;
    })}</g></svg>
    <p class="axis quiet"><span>across: ${nameOf(x)}</span><span>up: ${nameOf(y)}</span></p>`;
}
