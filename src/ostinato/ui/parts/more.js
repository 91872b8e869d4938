/** The button under a list that has more pages. */
import { html } from "../lib/html.js";
import { Failure } from "./notices.js";

/** @param {{list: import("../lib/pages.js").Pages, words?: string}} props */
export function More({ list, words = "Show more" }) {
  return html`${list.error && html`<${Failure} error=${list.error} again=${list.load} />`}${list.next && html`<button class="more" onClick=${list.load}>${words}</button>`}`;
}
