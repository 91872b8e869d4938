/** A list to choose from by a part of a name, behind a button. */
import { useState } from "preact/hooks";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";

const MOST_FOUND = 60;

/** Close the list at Escape. */
function press(/** @type {KeyboardEvent} */ event) {
  if (event.key !== "Escape" || !(event.currentTarget instanceof HTMLDetailsElement) || !event.currentTarget.open) return;
  event.preventDefault();
  event.currentTarget.open = false;
  focusOn(event.currentTarget.querySelector("summary"));
}

/**
 * `row` gives what stands beside the box of one of them.
 * @param {{words: string, label: string, all: string[], chosen: string[], turn: (one: string) => void, row?: (one: string) => any, none: string, children?: any}} props
 */
export function Picker({ words: title, label, all, chosen, turn, row = (one) => html`<span dir="auto">${one}</span>`, none, children }) {
  const [text, setText] = useState("");
  const words = text.toLowerCase().split(/\s+/);
  const found = all.filter((one) => words.every((word) => one.toLowerCase().includes(word)));
  return html`<details class="picker" onKeyDown=${press}><summary>${title} <span class="quiet">${chosen.length} of ${all.length.toLocaleString("en")}</span></summary>
    <div><input type="search" aria-label=${label} placeholder="Part of a name" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
      <ul>${found.slice(0, MOST_FOUND).map((one) => html`<li key=${one}><label><input type="checkbox" checked=${chosen.includes(one)} onChange=${() => turn(one)} /> ${row(one)}</label></li>`)}</ul>
      ${found.length > MOST_FOUND && html`<p class="quiet">${(found.length - MOST_FOUND).toLocaleString("en")} more: write more of the name.</p>`}
      ${!found.length && html`<p class="quiet">${none}</p>`}${children}</div></details>`;
}
