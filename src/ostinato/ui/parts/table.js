/** A long table: of its rows only those on the screen are in the document. */
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { html } from "../lib/html.js";

/** Height of a row; `.long td` has the same. */
const ROW = 32;
/** Rows that are there above and below those on the screen, and by how many the part that is there moves on. */
const SPARE = 4;
const STEP = 2;

/**
 * `box` is given the element that scrolls, `row` gives the row of a number, `see` is told what is on the screen.
 * @param {{label: string, head: any, n: number, row: (index: number) => any, see: (first: number, last: number) => void, box: import("preact").RefObject<HTMLDivElement>}} props
 */
export function LongTable({ label, head, n, row, see, box }) {
  const [[from, to], setRange] = useState([0, 40]);
  useLayoutEffect(() => {
    const frame = box.current;
    if (!frame) return;
    const look = () => {
      const top = Math.floor(frame.scrollTop / ROW / STEP) * STEP;
      const first = Math.max(0, top - SPARE);
      const last = top + Math.ceil(frame.clientHeight / ROW) + STEP + SPARE;
      setRange((old) => (old[0] === first && old[1] === last ? old : [first, last]));
    };
    const sizes = new ResizeObserver(look);
    sizes.observe(frame);
    frame.addEventListener("scroll", look, { passive: true });
    look();
    return () => {
      sizes.disconnect();
      frame.removeEventListener("scroll", look);
    };
  }, []);
  const last = Math.min(n, to ?? 0);
  const first = Math.min(from ?? 0, last);
  useEffect(() => see(first, last), [first, last, n, see]);
  return html`<div ref=${box} class="long scroll" data-scroller><table class="rows" aria-label=${label} aria-rowcount=${n + 1}>
    <thead>${head}</thead>
    <tbody>
      ${first > 0 && html`<${Gap} key="above" rows=${first} />`}
      ${Array.from({ length: last - first }, (_, at) => row(first + at))}
      ${last < n && html`<${Gap} key="below" rows=${n - last} />`}
    </tbody></table></div>`;
}

/** Room for rows that are not there. @param {{rows: number}} props */
function Gap({ rows }) {
  return html`<tr class="gap" aria-hidden="true" style=${{ height: `${rows * ROW}px` }}><td></td></tr>`;
}

/** Bring a row on the screen, at once. */
export function reveal(/** @type {HTMLElement | null} */ frame, /** @type {number} */ index) {
  if (!frame) return;
  const head = ROW;
  const top = index * ROW;
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (top + ROW + head > frame.scrollTop + frame.clientHeight) frame.scrollTop = top + ROW + head - frame.clientHeight;
  else return;
  frame.dispatchEvent(new Event("scroll")); // now, not with the next frame
}
