/** The graph of a run: what flows between its tasks, mapped ones as one node, and the longest chain of results. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { expect, layoutOf } from "../lib/layout.js";
import { cut } from "../lib/names.js";
import { go } from "../lib/route.js";
import { glyphOf, isBad, kindOf } from "../lib/states.js";
import { useView } from "../lib/view.js";
import { labelOf, nameOf, pageOf, stateOf, timeOf, wordsOf } from "./node.js";
import { Failure, Skeleton } from "./notices.js";

const WIDE = 190, HIGH = 44, GAP_X = 70, GAP_Y = 18, EDGE = 12;
/** Above so many nodes only those on the screen are drawn. */
const MOST_DRAWN = 300;
const LEAST_ZOOM = 0.1, MOST_ZOOM = 2;

/** @typedef {{x: number, y: number}} Spot */
/** @typedef {{left: string[], right: string[]}} Near */

/** @param {{run: any, jump: number, n: number}} props `jump` grows when the first failure is to be shown; of so many task runs */
export function Graph({ run, jump, n }) {
  useEffect(() => expect(n), []);
  const { data, error, again } = useView(`api/ui/runs/${run.id}/graph`, (event) => event.kind.startsWith("task-") && event.data.run_id === run.id, 500);
  if (!data) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`;
  return html`${!data.whole && html`<p class="notice">Some edges may be missing: there are more task runs than a graph is drawn from. The numbers are whole.</p>`}<${Drawing} graph=${data} run=${run} jump=${jump} />`;
}

/** Where all nodes are, worked out anew when the structure changes. @param {any} graph */
function usePlaces(graph) {
  const [found, setFound] = useState(/** @type {{places: Map<string, Spot>, near: Map<string, Near>, width: number, height: number} | null} */ (null));
  const shape = JSON.stringify([graph.nodes.map((/** @type {any} */ node) => node.id), graph.edges]);
  useEffect(() => {
    let over = false;
    const ids = graph.nodes.map((/** @type {any} */ node) => node.id);
    void layoutOf(ids, graph.edges).then((layout) => {
      if (over) return;
      const all = [...layout.values()];
      const top = all.reduce((least, place) => Math.min(least, place.at), 0);
      const places = new Map(all.map((place) => [place.id, { x: EDGE + place.layer * (WIDE + GAP_X), y: EDGE + (place.at - top) * (HIGH + GAP_Y) }]));
      const near = new Map(ids.map((/** @type {string} */ id) => [id, { left: /** @type {string[]} */ ([]), right: /** @type {string[]} */ ([]) }]));
      for (const [from, target] of graph.edges) {
        near.get(from)?.right.push(target);
        near.get(target)?.left.push(from);
      }
      const spots = [...places.values()];
      const most = (/** @type {"x" | "y"} */ side) => spots.reduce((far, spot) => Math.max(far, spot[side]), 0);
      setFound({ places, near, width: most("x") + WIDE + EDGE, height: most("y") + HIGH + EDGE });
    });
    return () => void (over = true);
  }, [shape]);
  return found;
}

/** @param {{graph: any, run: any, jump: number}} props */
function Drawing({ graph, run, jump }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [zoom, setZoom] = useState(1);
  const [seen, setSeen] = useState({ left: 0, top: 0, right: 2000, bottom: 1500 });
  const [here, setHere] = useState(graph.nodes[0]?.id);
  const held = useRef(false);
  const found = usePlaces(graph);
  const critical = useMemo(() => new Set(graph.critical.length > 1 ? graph.critical : []), [graph.critical]);
  const steps = useMemo(() => new Set(graph.critical.slice(1).map((/** @type {string} */ id, /** @type {number} */ at) => `${graph.critical[at]}>${id}`)), [graph.critical]);

  /** See which part is on the screen. */
  function look() {
    const pane = box.current;
    if (pane && graph.nodes.length > MOST_DRAWN) setSeen({ left: pane.scrollLeft / zoom, top: pane.scrollTop / zoom, right: (pane.scrollLeft + pane.clientWidth) / zoom, bottom: (pane.scrollTop + pane.clientHeight) / zoom });
  }
  useLayoutEffect(() => {
    const first = found?.places.get(here);
    const pane = box.current;
    if (first && pane && !pane.scrollTop && !pane.scrollLeft) pane.scrollTop = first.y * zoom - pane.clientHeight / 2; // the middle of the first layer
    look();
  }, [found]);
  useLayoutEffect(look, [zoom]);
  useLayoutEffect(() => {
    if (held.current) focusOn([...(box.current?.querySelectorAll("[data-node]") ?? [])].find((one) => one instanceof SVGElement && one.dataset.node === here));
    held.current = false;
  }, [here, seen]);
  /** Have a node on the screen, with the focus. */
  function show(/** @type {string | undefined} */ id) {
    const spot = id && found?.places.get(id);
    const pane = box.current;
    if (!spot || !pane) return;
    const [x, y] = [spot.x * zoom, spot.y * zoom];
    if (x < pane.scrollLeft || x + WIDE * zoom > pane.scrollLeft + pane.clientWidth) pane.scrollLeft = x - (pane.clientWidth - WIDE * zoom) / 2;
    if (y < pane.scrollTop || y + HIGH * zoom > pane.scrollTop + pane.clientHeight) pane.scrollTop = y - (pane.clientHeight - HIGH * zoom) / 2;
    held.current = true;
    setHere(id);
    look();
    focusOn([...pane.querySelectorAll("[data-node]")].find((one) => one instanceof SVGElement && one.dataset.node === id));
  }
  useEffect(() => {
    if (jump && found) show(graph.nodes.find((/** @type {any} */ node) => isBad(stateOf(node)))?.id);
  }, [jump, found]);
  function scale(/** @type {number} */ by) {
    setZoom((old) => Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, old * by)));
  }
  function fit() {
    const pane = box.current;
    if (pane && found) setZoom(Math.min(1, Math.max(LEAST_ZOOM, Math.min(pane.clientWidth / found.width, pane.clientHeight / found.height))));
  }
  /** Walk along the edges by the arrow keys, through a layer up and down. */
  function walk(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const spot = found?.places.get(here);
    const links = found?.near.get(here);
    const down = event.key === "ArrowDown";
    if (event.key === "ArrowRight") show(links?.right[0]);
    else if (event.key === "ArrowLeft") show(links?.left[0]);
    else if (down || event.key === "ArrowUp") {
      let next, least = Infinity;
      for (const [id, other] of found?.places ?? []) {
        const far = spot && other.x === spot.x ? (other.y - spot.y) * (down ? 1 : -1) : 0;
        if (far > 0 && far < least) [next, least] = [id, far];
      }
      show(next);
    } else if (event.key === "Enter") {
      const node = graph.nodes.find((/** @type {any} */ one) => one.id === here);
      if (node) go(pageOf(run, node));
    } else if (event.key === "+" || event.key === "=") scale(1.25);
    else if (event.key === "-") scale(0.8);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  /** Move the whole by the pointer. */
  function drag(/** @type {PointerEvent} */ event) {
    const pane = box.current;
    if (!pane || event.button || (event.target instanceof Element && event.target.closest("[data-node]"))) return;
    const [x, y, left, top] = [event.clientX, event.clientY, pane.scrollLeft, pane.scrollTop];
    const move = (/** @type {PointerEvent} */ at) => pane.scrollTo(left + x - at.clientX, top + y - at.clientY);
    addEventListener("pointermove", move);
    addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
  }
  const many = graph.nodes.length > MOST_DRAWN;
  const isSeen = (/** @type {Spot | undefined} */ spot) => spot && (!many || (spot.x + WIDE > seen.left - WIDE && spot.x < seen.right + WIDE && spot.y + HIGH > seen.top - 200 && spot.y < seen.bottom + 200));
  if (!found) return html`<${Skeleton} />`;
  const { places, near, width, height } = found;
  return html`<div class="bar">
      <button onClick=${() => scale(1.25)} aria-label="Larger">+</button><button onClick=${() => scale(0.8)} aria-label="Smaller">−</button><button onClick=${fit}>Fit</button>
      ${critical.size > 0 && html`<span class="legend quiet"><i class="critical" /> longest chain of results</span>`}
      <span class="quiet">${graph.nodes.length.toLocaleString("en")} ${graph.nodes.length === 1 ? "node" : "nodes"}</span></div>
    <div class="graph scroll" ref=${box} onScroll=${look} onPointerDown=${drag}><svg width=${width * zoom} height=${height * zoom} viewBox=${`0 0 ${width} ${height}`} role="tree" aria-label="Graph of the run" onKeyDown=${walk}>
    <g class="edges" aria-hidden="true">${graph.edges.map((/** @type {[string, string]} */ [from, target]) => {
      const a = places.get(from), b = places.get(target);
      if (!a || !b || !(isSeen(a) || isSeen(b))) return null;
      const [x1, y1, x2, y2] = [a.x + WIDE, a.y + HIGH / 2, b.x, b.y + HIGH / 2];
      const bend = Math.max(30, Math.abs(x2 - x1) / 2);
      const key = `${from}>${target}`;
      return html`<path key=${key} class=${steps.has(key) ? "critical" : undefined} d=${`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />`;
    })}</g>
    ${graph.nodes.map((/** @type {any} */ node) => (node.id === here || isSeen(places.get(node.id))) && html`<${Box} key=${node.id} node=${node} run=${run} spot=${places.get(node.id)} here=${node.id === here} critical=${critical.has(node.id)} links=${near.get(node.id)} onFocus=${setHere} />`)}
  </svg></div>`;
}

/** @param {{node: any, run: any, spot: Spot | undefined, here: boolean, critical: boolean, links: Near | undefined, onFocus: (id: string) => void}} props */
function Box({ node, run, spot, here, critical, links, onFocus }) {
  if (!spot) return null;
  const state = stateOf(node);
  const time = timeOf(node);
  const label = `${labelOf(node)}${critical ? ", critical" : ""}, ${links?.left.length ?? 0} upstream, ${links?.right.length ?? 0} downstream`;
  return html`<g class=${`node${critical ? " critical" : ""}`} data-kind=${kindOf(state)} data-node=${node.id} role="treeitem" aria-label=${label} tabindex=${here ? 0 : -1}
    transform=${`translate(${spot.x} ${spot.y})`} onFocus=${() => onFocus(node.id)} onClick=${() => go(pageOf(run, node))}><title>${node.name === nameOf(node) ? label : `${node.name}: ${label}`}</title>
    ${node.kind === "map" && html`<rect x="4" y="4" width=${WIDE} height=${HIGH} rx="6" class="under" />`}
    <rect width=${WIDE} height=${HIGH} rx="6" /><rect width="4" height=${HIGH} rx="2" class="stripe" />
    <text x="14" y="18">${cut(nameOf(node), node.n > 1 ? 15 : 22)}${node.n > 1 ? ` ×${node.n.toLocaleString("en")}` : ""}</text>
    <text x="14" y="35" class="small"><tspan class="glyph">${glyphOf(state)}</tspan> ${cut(wordsOf(node), 22)} ${node.n > 1 ? "" : time}</text>
  </g>`;
}
