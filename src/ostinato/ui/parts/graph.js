/** The graph of a run: what flows between its tasks, mapped ones as one node. */
import { useMemo, useRef } from "preact/hooks";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { layout } from "../lib/layout.js";
import { go, to } from "../lib/route.js";
import { glyphOf, isBad, kindOf, ORDER } from "../lib/states.js";
import { span, taken } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Failure, Skeleton } from "./notices.js";

const WIDE = 190, HIGH = 44, GAP_X = 70, GAP_Y = 18, EDGE = 12;

/** @param {{run: any}} props */
export function Graph({ run }) {
  const { data, error, again } = useView(`api/ui/runs/${run.id}/graph`, (event) => event.kind.startsWith("task-") && event.data.run_id === run.id, 500);
  if (!data) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  return html`${!data.whole && html`<p class="notice">The graph is drawn from the first task runs only.</p>`}<${Drawing} graph=${data} />`;
}

/** @param {{graph: any}} props */
function Drawing({ graph }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const shape = JSON.stringify([graph.nodes.map((/** @type {any} */ node) => node.id), graph.edges]);
  const { places, width, height, near } = useMemo(() => {
    const ids = graph.nodes.map((/** @type {any} */ node) => node.id);
    const found = [...layout(ids, graph.edges).values()];
    const top = Math.min(...found.map((place) => place.at));
    const spots = new Map(found.map((place) => [place.id, { x: EDGE + place.layer * (WIDE + GAP_X), y: EDGE + (place.at - top) * (HIGH + GAP_Y) }]));
    const all = [...spots.values()];
    const links = new Map(ids.map((/** @type {string} */ id) => [id, { left: /** @type {string[]} */ ([]), right: /** @type {string[]} */ ([]) }]));
    for (const [from, target] of graph.edges) {
      links.get(from)?.right.push(target);
      links.get(target)?.left.push(from);
    }
    return { places: spots, near: links, width: Math.max(...all.map((spot) => spot.x)) + WIDE + EDGE, height: Math.max(...all.map((spot) => spot.y)) + HIGH + EDGE };
  }, [shape]);
  /** Walk along the edges by the arrow keys, through a layer up and down. */
  function walk(/** @type {KeyboardEvent} */ event, /** @type {any} */ node) {
    const links = near.get(node.id);
    const here = places.get(node.id);
    let next;
    if (event.key === "ArrowRight") next = links?.right[0];
    if (event.key === "ArrowLeft") next = links?.left[0];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const down = event.key === "ArrowDown";
      const column = [...places].filter(([, spot]) => spot.x === here?.x && (down ? spot.y > here.y : spot.y < here.y)).sort(([, a], [, b]) => (down ? a.y - b.y : b.y - a.y));
      next = column[0]?.[0];
    }
    if (event.key === "Enter" && node.run_id) go(to("runs", node.run_id));
    if (!next) return;
    event.preventDefault();
    focusOn([...(box.current?.querySelectorAll("[data-node]") ?? [])].find((one) => one instanceof SVGElement && one.dataset.node === next));
  }
  return html`<div class="graph scroll" ref=${box}><svg width=${width} height=${height} role="tree" aria-label="Graph of the run">
    <g class="edges" aria-hidden="true">${graph.edges.map((/** @type {[string, string]} */ [from, target]) => {
      const a = places.get(from), b = places.get(target);
      if (!a || !b) return null;
      const [x1, y1, x2, y2] = [a.x + WIDE, a.y + HIGH / 2, b.x, b.y + HIGH / 2];
      const bend = Math.max(30, Math.abs(x2 - x1) / 2);
      return html`<path key=${`${from}>${target}`} d=${`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />`;
    })}</g>
    ${graph.nodes.map((/** @type {any} */ node, /** @type {number} */ index) => html`<${Box} key=${node.id} node=${node} spot=${places.get(node.id)} first=${!index} links=${near.get(node.id)} onWalk=${walk} />`)}
  </svg></div>`;
}

/** @param {{node: any, spot: {x: number, y: number}, first: boolean, links: any, onWalk: (event: KeyboardEvent, node: any) => void}} props */
function Box({ node, spot, first, links, onWalk }) {
  const states = ORDER.filter((state) => node.states[state]);
  const state = states.find(isBad) ?? states[0] ?? "Pending";
  const time = span(taken(node.started_at, node.ended_at));
  const words = node.n > 1 ? states.map((one) => `${node.states[one].toLocaleString("en")} ${one}`).join(", ") : state;
  const label = `${node.kind === "flow" ? "subflow" : "task"} ${node.name}${node.n > 1 ? ` ×${node.n.toLocaleString("en")}` : ""}, ${words}${time && `, ${time}`}, ${links?.left.length ?? 0} upstream, ${links?.right.length ?? 0} downstream`;
  return html`<g class="node" data-kind=${kindOf(state)} data-node=${node.id} role="treeitem" aria-label=${label} tabindex=${first ? 0 : -1}
    transform=${`translate(${spot.x} ${spot.y})`} onKeyDown=${(/** @type {KeyboardEvent} */ event) => onWalk(event, node)}
    onClick=${() => node.run_id && go(to("runs", node.run_id))}><title>${label}</title>
    ${node.kind === "map" && html`<rect x="4" y="4" width=${WIDE} height=${HIGH} rx="6" class="under" />`}
    <rect width=${WIDE} height=${HIGH} rx="6" /><rect width="4" height=${HIGH} rx="2" class="mark" />
    <text x="14" y="18">${shorten(node.name, node.n > 1 ? 15 : 22)}${node.n > 1 ? ` ×${node.n.toLocaleString("en")}` : ""}</text>
    <text x="14" y="35" class="small"><tspan class="glyph">${glyphOf(state)}</tspan> ${shorten(words, 22)} ${node.n > 1 ? "" : time}</text>
  </g>`;
}

const shorten = (/** @type {string} */ text, /** @type {number} */ n) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);
