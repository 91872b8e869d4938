/** A run at a glance: rings by depth, a dot for each task, what failed as a wedge; subflows are gone into. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { layoutOf } from "../lib/layout.js";
import { cut } from "../lib/names.js";
import { go } from "../lib/route.js";
import { glyphOf, isBad, kindOf } from "../lib/states.js";
import { useView } from "../lib/view.js";
import { labelOf, nameOf, pageOf, stateOf, timeOf, wordsOf } from "./node.js";
import { Empty, Failure, Skeleton } from "./notices.js";

const MOST = 150, SIZE = 640, MIDDLE = SIZE / 2, INNER = 70, WIDEST = 110, LEAST = 400, DOT = 9, TURN = 2 * Math.PI, FEW = 40;

/** @typedef {{node: any, x: number, y: number, angle: number, radius: number, ring: number}} Dot */
/** @typedef {Map<string, {in: string[], out: string[]}>} Links */

/** @param {{run: any}} props */
export function Radar({ run }) {
  const [path, setPath] = useState(/** @type {{id: string, name: string}[]} */ ([{ id: run.id, name: run.name }]));
  const shown = path.at(-1) ?? { id: run.id, name: run.name };
  const { data, error, again } = useView(`api/ui/runs/${shown.id}/graph`, (event) => event.kind === "reload" || (/^(task-|run-)/.test(event.kind) && [event.data.run_id, event.data.parent_id].includes(shown.id)), 500);
  return html`${path.length > 1 && html`<nav class="crumbs" aria-label="Subflows">${path.map((one, at) => (at < path.length - 1 ? html`<button key=${one.id} class="plain" dir="auto" onClick=${() => setPath(path.slice(0, at + 1))}>${one.name}</button> / ` : html`<span key=${one.id} dir="auto">${one.name}</span>`))}</nav>`}
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data && !data.nodes.length && html`<${Empty} title="No task yet"><p>This run has called no task and no subflow.</p><//>`}
    ${data && data.nodes.length > 0 && html`<${Rings} key=${shown.id} graph=${data} run=${shown} onEnter=${(/** @type {any} */ node) => setPath([...path, { id: node.run_id, name: node.name }])} />`}`;
}

/** Give few enough nodes: of many, those of one task are one. @param {any} graph */
function grouped(graph) {
  if (graph.nodes.length <= MOST) return graph;
  const place = new Map();
  const nodes = new Map();
  for (const node of graph.nodes) {
    const id = node.kind === "task" ? `task ${node.task}` : node.id;
    place.set(node.id, id);
    const old = nodes.get(id);
    if (!old) nodes.set(id, { ...node, id, states: { ...node.states } });
    else {
      for (const [state, n] of Object.entries(node.states)) old.states[state] = (old.states[state] ?? 0) + n;
      Object.assign(old, { n: old.n + node.n, name: node.task, kind: "map", no: null, started_at: null });
    }
  }
  const all = [...nodes.values()].slice(0, MOST);
  const kept = new Set(all.map((node) => node.id));
  const edges = new Map(graph.edges.map((/** @type {[string, string]} */ [from, target]) => [place.get(from), place.get(target)]).filter((/** @type {[string, string]} */ [from, target]) => from !== target && kept.has(from) && kept.has(target)).map((/** @type {[string, string]} */ edge) => [edge.join(">"), edge]));
  return { nodes: all, edges: [...edges.values()], n: nodes.size };
}

/** @param {{graph: any, run: any, onEnter: (node: any) => void}} props */
function Rings({ graph: whole, run, onEnter }) {
  const graph = useMemo(() => grouped(whole), [whole]);
  const [layout, setLayout] = useState(/** @type {Map<string, import("../lib/layout.js").Place> | null} */ (null));
  const [here, setHere] = useState(/** @type {string} */ (graph.nodes[0].id));
  const [traced, setTraced] = useState("");
  const box = useRef(/** @type {SVGElement | null} */ (null));
  const shape = JSON.stringify([graph.nodes.map((/** @type {any} */ node) => node.id), graph.edges]);
  useEffect(() => {
    let over = false;
    void layoutOf(graph.nodes.map((/** @type {any} */ node) => node.id), graph.edges).then((found) => over || setLayout(found));
    return () => void (over = true);
  }, [shape]);
  const links = useMemo(() => {
    const found = /** @type {Links} */ (new Map(graph.nodes.map((/** @type {any} */ node) => [node.id, { in: [], out: [] }])));
    for (const [from, target] of graph.edges) {
      found.get(from)?.out.push(target);
      found.get(target)?.in.push(from);
    }
    return found;
  }, [shape]);
  const { dots, rings } = useMemo(() => spread(graph.nodes, layout, links), [graph, layout, links]);
  const lit = useMemo(() => (traced ? new Set([...reach(links, traced, "in"), ...reach(links, traced, "out")]) : null), [traced, links]);
  const [zoom, setZoom] = useState(1);
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const scale = (/** @type {number} */ by) => setZoom((old) => Math.min(8, Math.max(1, old * by)));
  const bad = dots.filter((dot) => isBad(stateOf(dot.node)));
  const said = dots.find((dot) => dot.node.id === (traced || here));

  function show(/** @type {string | undefined} */ id) {
    if (!id) return;
    setHere(id);
    focusOn([...(box.current?.querySelectorAll("[data-node]") ?? [])].find((one) => one instanceof SVGElement && one.dataset.node === id));
  }
  function enter(/** @type {any} */ node) {
    if (node.run_id) onEnter(node);
    else go(pageOf(run, node));
  }
  /** Walk along a ring, and along edges outwards and inwards. */
  function walk(/** @type {KeyboardEvent} */ event) {
    const dot = dots.find((one) => one.node.id === here);
    if (!dot || event.ctrlKey || event.metaKey || event.altKey) return;
    const ring = dots.filter((one) => one.ring === dot.ring);
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) show(ring[(ring.indexOf(dot) + by + ring.length) % ring.length]?.node.id);
    else if (event.key === "ArrowDown") show(links.get(here)?.out[0]);
    else if (event.key === "ArrowUp") show(links.get(here)?.in[0]);
    else if (event.key === "Enter") enter(dot.node);
    else if (event.key === "+" || event.key === "=") scale(1.25);
    else if (event.key === "-") scale(0.8);
    else if (event.key === "0") setZoom(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  if (!layout) return html`<${Skeleton} />`;
  const at = new Map(dots.map((dot) => [dot.node.id, dot]));
  const room = Math.min(SIZE, Math.max(LEAST, 2 * (rings.at(-1) ?? 0) + 140));
  const side = room / zoom;
  const around = zoom > 1 ? (at.get(here) ?? { x: MIDDLE, y: MIDDLE }) : { x: MIDDLE, y: MIDDLE }; // larger, it is seen around the dot that is chosen
  const dim = (/** @type {boolean} */ on) => (lit && !on ? "dim" : undefined);
  return html`${graph.n > MOST && html`<p class="notice">${graph.n.toLocaleString("en")} groups are too many for rings: these are the first ${MOST}. The graph shows all of them.</p>`}
    <div class="radar" ref=${frame}><svg ref=${box} class=${zoom > 1 ? "near" : undefined} viewBox=${`${around.x - side / 2} ${around.y - side / 2} ${side} ${side}`} style=${{ maxWidth: `${room}px` }} role="tree" aria-label="Radar of the run" onKeyDown=${walk} onMouseLeave=${() => setTraced("")}>
      <g aria-hidden="true">${rings.filter(Boolean).map((radius) => html`<circle key=${radius} class="ring" cx=${MIDDLE} cy=${MIDDLE} r=${radius} />`)}
        ${bad.map((dot) => html`<path key=${dot.node.id} class="wedge" d=${wedge(dot, rings, dots)} />`)}
        ${graph.edges.map((/** @type {[string, string]} */ [from, target]) => {
          const a = at.get(from), b = at.get(target);
          if (!a || !b) return null;
          const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
          const bent = { x: middle.x + (MIDDLE - middle.x) * 0.25, y: middle.y + (MIDDLE - middle.y) * 0.25 };
          return html`<path key=${`${from}>${target}`} class=${`edge ${dim(!!lit?.has(from) && !!lit.has(target)) ?? (lit ? "lit" : "")}`} d=${`M${a.x} ${a.y}Q${bent.x} ${bent.y} ${b.x} ${b.y}`} />`;
        })}</g>
      ${dots.map((dot) => {
        const { node } = dot;
        const near = links.get(node.id);
        const label = `${labelOf(node)}, ring ${dot.ring + 1}, ${near?.in.length ?? 0} upstream, ${near?.out.length ?? 0} downstream`;
        const size = DOT + (node.n > 1 ? Math.min(8, Math.log10(node.n) * 3) : 0);
        const left = dot.x < MIDDLE - 1;
        return html`<g key=${node.id} class=${`dot ${dim(!!lit?.has(node.id)) ?? ""}`} data-kind=${kindOf(stateOf(node))} data-node=${node.id} role="treeitem" aria-label=${label} tabindex=${node.id === here ? 0 : -1}
          onClick=${() => enter(node)} onMouseEnter=${() => setTraced(node.id)} onFocus=${() => (setHere(node.id), setTraced(node.id))} onBlur=${() => setTraced("")}>
          <title>${node.name === nameOf(node) ? label : `${node.name}: ${label}`}</title><circle cx=${dot.x} cy=${dot.y} r=${size} />${node.kind === "flow" && html`<circle class="outer" cx=${dot.x} cy=${dot.y} r=${size + 4} />`}
          <text class="glyph" x=${dot.x} y=${dot.y + 4} text-anchor="middle">${glyphOf(stateOf(node))}</text>
          ${(dots.length <= FEW || isBad(stateOf(node))) && html`<text x=${dot.x + (left ? -size - 5 : size + 5)} y=${dot.y + 4} text-anchor=${left ? "end" : "start"}>${cut(nameOf(node), 18)}${node.n > 1 ? ` ×${node.n.toLocaleString("en")}` : ""}<tspan class="time"> ${timeOf(node)}</tspan></text>`}</g>`;
      })}</svg>
      <aside aria-live="polite"><p class="bar"><button onClick=${() => scale(1.25)} aria-label="Larger">+</button><button onClick=${() => scale(0.8)} aria-label="Smaller">−</button><button onClick=${() => setZoom(1)}>All</button><button onClick=${() => (document.fullscreenElement ? document.exitFullscreen() : frame.current?.requestFullscreen())}>Full screen</button></p>
        ${said && html`<h2 dir="auto" title=${said.node.name}>${nameOf(said.node)}${said.node.n > 1 && html` <span class="quiet">×${said.node.n.toLocaleString("en")}</span>`}</h2>
        <p>${wordsOf(said.node)} ${timeOf(said.node)}</p><p class="quiet">${links.get(said.node.id)?.in.length ?? 0} upstream, ${links.get(said.node.id)?.out.length ?? 0} downstream</p>
        <button onClick=${() => enter(said.node)}>${said.node.run_id ? "Go into the subflow" : "Open"}</button>
        ${said.node.run_id && html` <button onClick=${() => go(pageOf(run, said.node))}>Open its run</button>`}`}
        <p class="quiet">What begins the run is inside, what needs it further out. A wedge shows where something failed.</p></aside></div>`;
}

/**
 * Give each node its place: the ring by its depth, the angle near what it comes from.
 * @param {any[]} nodes
 * @param {Map<string, import("../lib/layout.js").Place> | null} layout
 * @param {Links} links
 * @returns {{dots: Dot[], rings: number[]}}
 */
function spread(nodes, layout, links) {
  if (!layout) return { dots: [], rings: [] };
  /** @type {any[][]} */
  const layers = [];
  for (const node of nodes) (layers[layout.get(node.id)?.layer ?? 0] ??= []).push(node);
  const gap = Math.min(WIDEST, (MIDDLE - INNER - 60) / Math.max(1, layers.length - 1));
  const single = layers.length === 1;
  const rings = layers.map((layer, ring) => (single ? Math.min(INNER + layer.length * 8, MIDDLE - 60) : ring || layer.length > 1 ? INNER + ring * gap : 0)); // what alone begins it is the middle
  /** @type {Map<string, number>} */
  const angles = new Map();
  /** @type {Dot[]} */
  const dots = [];
  layers.forEach((layer, ring) => {
    const sorted = [...layer].sort((a, b) => (layout.get(a.id)?.at ?? 0) - (layout.get(b.id)?.at ?? 0));
    // the ring is turned so that its first node stands near what it comes from
    const from = sorted.flatMap((node) => links.get(node.id)?.in ?? []).map((id) => angles.get(id)).find((angle) => angle !== undefined);
    const first = from ?? -TURN / 4;
    sorted.forEach((node, index) => {
      const angle = first + (index / sorted.length) * TURN + (ring % 2 ? 0.25 : 0);
      const radius = rings[ring] ?? INNER;
      angles.set(node.id, angle);
      dots.push({ node, angle, radius, ring, x: MIDDLE + radius * Math.cos(angle), y: MIDDLE + radius * Math.sin(angle) });
    });
  });
  return { dots, rings };
}

/** Give what can be reached from a node, itself included. */
function reach(/** @type {Links} */ links, /** @type {string} */ id, /** @type {"in" | "out"} */ way) {
  const found = new Set([id]);
  for (const one of found) for (const next of links.get(one)?.[way] ?? []) found.add(next);
  return found;
}

/** Give the outline of the wedge of what failed: as wide as its share of the ring, out to the rim. */
function wedge(/** @type {Dot} */ dot, /** @type {number[]} */ rings, /** @type {Dot[]} */ dots) {
  const n = dots.filter((one) => one.ring === dot.ring).length;
  const half = Math.min(0.45, TURN / n / 2);
  const [low, high] = [Math.max(20, dot.radius - 24), Math.max((rings.at(-1) ?? INNER) + 30, dot.radius + 30)];
  const point = (/** @type {number} */ radius, /** @type {number} */ angle) => `${MIDDLE + radius * Math.cos(angle)} ${MIDDLE + radius * Math.sin(angle)}`;
  const [a, b] = [dot.angle - half, dot.angle + half];
  return `M${point(low, a)}L${point(high, a)}A${high} ${high} 0 0 1 ${point(high, b)}L${point(low, b)}A${low} ${low} 0 0 0 ${point(low, a)}Z`;
}
