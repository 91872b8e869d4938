/** The status of a tracking run: its shape, its word, its colour. */
import { html } from "../lib/html.js";

const SHAPES = /** @type {Record<string, [string, string]>} */ ({
  running: ["◐", "running"], scheduled: ["○", "scheduled"], finished: ["✓", "completed"], failed: ["✕", "failed"], killed: ["⊘", "cancelled"],
});

/** @param {{status: string}} props */
export function Status({ status }) {
  const [glyph, kind] = SHAPES[status] ?? ["◌", "pending"];
  return html`<span class="state" data-kind=${kind}><i aria-hidden="true">${glyph}</i>${status}</span>`;
}
