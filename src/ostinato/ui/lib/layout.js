/** The layout of graphs: layers by longest path, order in a layer by the middle of the neighbours, both ways.
 *
 * Edges that go back (there are circles between nodes of many runs) count for drawing, and not for the layers.
 */

/** @typedef {{id: string, layer: number, at: number}} Place */

const SWEEPS = 8;

/**
 * Give each node its layer and its place in it.
 * @param {string[]} ids in call order
 * @param {[string, string][]} edges
 * @returns {Map<string, Place>}
 */
export function layout(ids, edges) {
  const order = new Map(ids.map((id, at) => [id, at]));
  const forward = edges.filter(([from, to]) => (order.get(from) ?? 0) < (order.get(to) ?? 0));
  const before = neighbours(ids, forward, 1);
  const after = neighbours(ids, forward, 0);
  /** @type {Map<string, number>} */
  const layer = new Map();
  for (const id of ids) {
    let deepest = -1;
    for (const one of before.get(id) ?? []) deepest = Math.max(deepest, layer.get(one) ?? -1);
    layer.set(id, deepest + 1);
  }
  /** @type {string[][]} */
  const layers = [];
  for (const id of ids) (layers[layer.get(id) ?? 0] ??= []).push(id);
  /** @type {Map<string, number>} */
  const at = new Map();
  const note = (/** @type {string[]} */ row) => row.forEach((id, index) => at.set(id, index - (row.length - 1) / 2));
  layers.forEach(note);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const near = down ? before : after;
    for (const row of down ? layers : layers.toReversed()) {
      const middle = new Map(row.map((id) => [id, mean((near.get(id) ?? []).map((one) => at.get(one) ?? 0), at.get(id) ?? 0)]));
      row.sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0));
      note(row);
    }
  }
  return new Map(ids.map((id) => [id, { id, layer: layer.get(id) ?? 0, at: at.get(id) ?? 0 }]));
}

function neighbours(/** @type {string[]} */ ids, /** @type {[string, string][]} */ edges, /** @type {0 | 1} */ end) {
  const found = new Map(ids.map((id) => [id, /** @type {string[]} */ ([])]));
  for (const [from, to] of edges) found.get(end ? to : from)?.push(end ? from : to);
  return found;
}

function mean(/** @type {number[]} */ values, /** @type {number} */ otherwise) {
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : otherwise;
}

const FEW = 300;
/** @type {Worker | null} */
let worker = null;
let asked = 0;

/**
 * Give the layout, worked out beside the page when the graph is large.
 * @param {string[]} ids in call order
 * @param {[string, string][]} edges
 * @returns {Promise<Map<string, Place>>}
 */
export async function layoutOf(ids, edges) {
  const start = performance.now();
  let places;
  if (ids.length <= FEW) places = layout(ids, edges);
  else {
    worker ??= new Worker(new URL("./layout_worker.js", import.meta.url), { type: "module" });
    const no = ++asked;
    const beside = worker;
    places = await new Promise((done, fail) => {
      beside.addEventListener("error", fail, { once: true });
      beside.addEventListener("message", function take({ data }) {
        if (data.no !== no) return;
        beside.removeEventListener("message", take);
        beside.removeEventListener("error", fail);
        done(data.places);
      });
      beside.postMessage({ no, ids, edges });
    });
  }
  performance.measure("ostinato:layout", { start, detail: { nodes: ids.length } });
  return places;
}
