/** Where something comes from and what came of it: drawn, and the same as a list. */
import { useMemo } from "preact/hooks";
import { html } from "../lib/html.js";
import { layout } from "../lib/layout.js";
import { go } from "../lib/route.js";

const WIDE = 172, HIGH = 44, GAP_X = 38, GAP_Y = 16, EDGE = 10;
const MOST_DRAWN = 60;

/** @typedef {{id: string, kind: string, words: string, href?: string, main?: boolean}} Item */

/**
 * Items stand in the order in which one comes from the other.
 * @param {{items: Item[], edges: [string, string][], label: string}} props
 */
export function Lineage({ items: all, edges: links, label }) {
  const items = all.slice(0, MOST_DRAWN);
  const known = new Map(all.map((item) => [item.id, item]));
  const drawn = new Set(items.map((item) => item.id));
  const edges = links.filter(([from, to]) => drawn.has(from) && drawn.has(to));
  const shape = JSON.stringify([items.map((item) => item.id), edges]);
  const { spots, width, height } = useMemo(() => {
    const places = [...layout(items.map((item) => item.id), edges).values()];
    const top = Math.min(...places.map((place) => place.at));
    const found = new Map(places.map((place) => [place.id, { x: EDGE + place.layer * (WIDE + GAP_X), y: EDGE + (place.at - top) * (HIGH + GAP_Y) }]));
    const values = [...found.values()];
    return { spots: found, width: Math.max(...values.map((spot) => spot.x)) + WIDE + EDGE, height: Math.max(...values.map((spot) => spot.y)) + HIGH + EDGE };
  }, [shape]);
  return html`<div class="graph scroll"><svg width=${width} height=${height} role="group" aria-label=${label}>
      <g class="edges" aria-hidden="true">${edges.map(([from, to]) => {
        const a = spots.get(from), b = spots.get(to);
        if (!a || !b) return null;
        const [x1, y1, x2, y2] = [a.x + WIDE, a.y + HIGH / 2, b.x, b.y + HIGH / 2], bend = Math.max(24, Math.abs(x2 - x1) / 2);
        return html`<path key=${`${from}>${to}`} d=${`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />`;
      })}</g>
      ${items.map((item) => html`<${Box} key=${item.id} item=${item} spot=${spots.get(item.id)} />`)}</svg></div>
    ${all.length > MOST_DRAWN && html`<p class="quiet">${(all.length - MOST_DRAWN).toLocaleString("en")} more are in the list alone.</p>`}
    <details class="as-list"><summary>As a list</summary><ul aria-label=${`${label}, as a list`}>${all.map((item) => {
      const from = links.filter(([, to]) => to === item.id).map(([one]) => known.get(one)?.words ?? "");
      return html`<li key=${item.id}><span class="quiet">${item.kind}</span> ${item.href ? html`<a href=${item.href} dir="auto">${item.words}</a>` : html`<span dir="auto">${item.words}</span>`}${from.length > 0 && html` <span class="quiet">from <span dir="auto">${from.join(", ")}</span></span>`}</li>`;
    })}</ul></details>`;
}

/** @param {{item: Item, spot: {x: number, y: number} | undefined}} props */
function Box({ item, spot }) {
  const label = `${item.kind} ${item.words}`;
  const inner = html`<title>${label}</title><rect width=${WIDE} height=${HIGH} rx="6" /><svg x="12" width=${WIDE - 18} height=${HIGH}><text y="17" class="small">${shorten(item.kind)}</text><text y="35">${shorten(item.words)}</text></svg>`;
  const kind = item.main ? "running" : "pending";
  const place = `translate(${spot?.x ?? 0} ${spot?.y ?? 0})`;
  const open = (/** @type {MouseEvent} */ event) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || !item.href) return;
    event.preventDefault();
    go(item.href);
  };
  return item.href ? html`<a href=${item.href} onClick=${open} class="node" data-kind=${kind} aria-label=${label} transform=${place}>${inner}</a>` : html`<g class=${item.main ? "node main" : "node"} data-kind=${kind} transform=${place}>${inner}</g>`;
}

const shorten = (/** @type {string} */ text) => (text.length > 23 ? `${text.slice(0, 22)}…` : text);
