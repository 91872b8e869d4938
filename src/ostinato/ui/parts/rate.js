/** How many of some runs ended well. */
import { html } from "../lib/html.js";

/** @param {{of: {well: number, badly: number}}} props */
export function Rate({ of }) {
  const all = of.well + of.badly;
  if (!all) return html`<span class="quiet">none ended</span>`;
  const share = (100 * of.well) / all;
  // 99.96 % is not all of them.
  const text = share > 99 && share < 100 ? "> 99" : share > 0 && share < 1 ? "< 1" : String(Math.round(share));
  return html`<span title=${`${of.well.toLocaleString("en")} of ${all.toLocaleString("en")} ended well`}>${text} %</span>`;
}
