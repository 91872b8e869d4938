/** A state: its shape, its word, its colour. */
import { html } from "../lib/html.js";
import { glyphOf, kindOf, ORDER } from "../lib/states.js";

/** @param {{state: string}} props */
export function State({ state }) {
  return html`<span class="state" data-kind=${kindOf(state)}><i aria-hidden="true">${glyphOf(state)}</i>${state}</span>`;
}

/**
 * Numbers by state as one bar, with its words for those who do not see it.
 * @param {{states: Record<string, number>, label?: string}} props
 */
export function Share({ states, label = "" }) {
  const found = ORDER.filter((state) => states[state]);
  const words = found.map((state) => `${states[state]} ${state}`).join(", ") || "none";
  return html`<span class="share" role="img" aria-label=${`${label} ${words}`} title=${words}>
    ${found.map((state) => html`<i data-kind=${kindOf(state)} style=${{ flexGrow: states[state] }} />`)}
  </span>`;
}
