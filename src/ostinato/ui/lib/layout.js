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
  const before = ids.map(() => /** @type {number[]} */ ([]));
  const after = ids.map(() => /** @type {number[]} */ ([]));
  for (const [from, to] of edges) {
    const a = order.get(from) ?? 0, b = order.get(to) ?? 0;
    if (a >= b) continue;
    after[a]?.push(b);
    before[b]?.push(a);
  }
  const layer = new Int32Array(ids.length);
  /** @type {number[][]} */
  const layers = [];
  before.forEach((near, node) => {
    let deepest = -1;
    for (const one of near) deepest = Math.max(deepest, layer[one] ?? -1);
    layer[node] = deepest + 1;
    (layers[deepest + 1] ??= []).push(node);
  });
  const at = new Float64Array(ids.length);
  const middle = new Float64Array(ids.length);
  const note = (/** @type {number[]} */ row) => row.forEach((node, index) => (at[node] = index - (row.length - 1) / 2));
  layers.forEach(note);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const near = down ? before : after;
    for (const row of down ? layers : layers.toReversed()) {
      for (const node of row) middle[node] = mean(near[node] ?? [], at, at[node] ?? 0);
      row.sort((a, b) => (middle[a] ?? 0) - (middle[b] ?? 0));
      note(row);
    }
  }
  return new Map(ids.map((id, node) => [id, { id, layer: layer[node] ?? 0, at: at[node] ?? 0 }]));
}

/** Give the mean place of some nodes, or another one when there are none. */
function mean(/** @type {number[]} */ nodes, /** @type {Float64Array} */ at, /** @type {number} */ otherwise) {
  if (!nodes.length) return otherwise;
  let sum = 0;
  for (const node of nodes) sum += at[node] ?? 0;
  return sum / nodes.length;
}

const FEW = 300;
/** @type {Worker | null} */
let worker = null;
let asked = 0;

/** Have what works beside the page ready, when that many nodes may come. */
export function expect(/** @type {number} */ n) {
  if (n > FEW) worker ??= new Worker(new URL("./layout_worker.js", import.meta.url), { type: "module" });
}

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
    expect(ids.length);
    const no = ++asked;
    const beside = /** @type {Worker} */ (worker);
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
