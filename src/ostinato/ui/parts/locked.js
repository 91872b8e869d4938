/** What somebody is told whose role does not allow what a page is for. */
import { html } from "../lib/html.js";

/** @param {{may: string[], needs: string, words: string}} props */
export function Locked({ may, needs, words }) {
  return may.includes(needs) ? null : html`<p class="notice">You may look at this, and not ${words}: your role, or the scope of your key, does not go so far.</p>`;
}
