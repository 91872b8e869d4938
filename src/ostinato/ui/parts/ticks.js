/** Instants of a schedule by date, each a cell with what became of it. */
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { glyphOf, kindOf } from "../lib/states.js";

const MOST_ROWS = 12;

/** @typedef {{at: string, local: string, run_id: string | null, state: string | null, is_backfill?: boolean, todo?: string}} Tick */

/** @param {{ticks: Tick[], label: string, none?: string}} props `none`: what is said of an instant without a run */
export function Ticks({ ticks, label, none = "no run" }) {
  const cut = [10, 7].find((n) => wide(rowsBy(ticks, n), ticks)) ?? 4;
  const words = (/** @type {Tick} */ one) => `${one.local}: ${one.state ?? none}${one.is_backfill ? ", by a backfill" : ""}`;
  /** @type {Record<string, number>} */
  const counts = {};
  for (const one of ticks) counts[one.state ?? none] = (counts[one.state ?? none] ?? 0) + 1;
  return html`<div class="ticks" role="group" aria-label=${label}>
    ${[...rowsBy(ticks, cut)].map(([date, row]) => html`<div key=${date}><b>${date}</b> <div>${row.map((one) => (one.run_id
      ? html`<a key=${one.at} href=${to("runs", one.run_id)} data-kind=${kindOf(one.state ?? "")} data-backfill=${one.is_backfill} aria-label=${words(one)} title=${words(one)}>${glyphOf(one.state ?? "")}</a>`
      : html`<span key=${one.at} role="img" aria-label=${words(one)} title=${words(one)}>·</span>`))}</div></div>`)}
    <p class="quiet">${Object.entries(counts).map(([state, n]) => `${n} ${state}`).join(", ")}${ticks.some((one) => one.is_backfill) && "; dashed: by a backfill"}</p></div>`;
}

/** Give the cells by the first letters of their dates. */
function rowsBy(/** @type {Tick[]} */ ticks, /** @type {number} */ letters) {
  /** @type {Map<string, Tick[]>} */
  const rows = new Map();
  for (const one of ticks) {
    const date = one.local.slice(0, letters);
    rows.set(date, [...(rows.get(date) ?? []), one]);
  }
  return rows;
}

/** Say whether rows are few, and hold more than one cell each. */
function wide(/** @type {Map<string, Tick[]>} */ rows, /** @type {Tick[]} */ ticks) {
  return rows.size <= MOST_ROWS && (rows.size === 1 || rows.size * 2 <= ticks.length);
}
