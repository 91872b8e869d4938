/** The palette (find a run, do a thing) and the help: both from the registry of commands. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { overlay } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { go, to } from "../lib/route.js";
import { State } from "./state.js";

/** @typedef {import("../lib/commands.js").Command} Command */

const close = () => (overlay.value = "");

/** A box over the view that keeps the focus. @param {{label: string, children: any}} props */
function Dialog({ label, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => box.current?.showModal(), []);
  return html`<dialog ref=${box} aria-label=${label} onClose=${close} onClick=${(/** @type {Event} */ event) => event.target === box.current && close()}>${children}</dialog>`;
}

/** @param {{commands: Command[]}} props */
export function Palette({ commands }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [runs, setRuns] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    const word = text.trim();
    if (word.length < 2) return void setRuns([]);
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        setRuns((await ask(withQuery("api/ui/runs", { query: word, limit: 6 }), { signal: stop.signal })).items);
      } catch {
        if (!stop.signal.aborted) setRuns([]); // not a query (yet)
      }
    }, 150);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  const words = text.toLowerCase().split(/\s+/);
  const found = [
    ...commands.filter((one) => words.every((word) => one.words.toLowerCase().includes(word))).map((one) => ({ key: one.words, run: one.run, show: html`<span>${one.words}</span>${one.keys && html`<kbd>${one.keys}</kbd>`}` })),
    ...runs.map((run) => ({ key: run.id, run: () => go(to("runs", run.id)), show: html`<span dir="auto">${run.name}</span><${State} state=${run.state} />` })),
  ];
  const chosen = Math.min(at, found.length - 1);
  function press(/** @type {KeyboardEvent} */ event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      setAt((chosen + by + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter" && found[chosen]) {
      event.preventDefault();
      close();
      found[chosen].run();
    }
  }
  return html`<${Dialog} label="Find or do">
    <input autofocus role="combobox" aria-expanded="true" aria-controls="found" aria-activedescendant=${found[chosen] ? `found-${chosen}` : undefined}
      aria-label="Find or do" placeholder="A command, or a query for runs" value=${text} onKeyDown=${press}
      onInput=${(/** @type {any} */ event) => (setText(event.currentTarget.value), setAt(0))} />
    <ul id="found" role="listbox" aria-label="What was found">${found.map((one, index) => html`<li key=${one.key} id=${`found-${index}`} role="option" aria-selected=${index === chosen}
      onClick=${() => (close(), one.run())}>${one.show}</li>`)}</ul>
    ${!found.length && html`<p class="quiet">Nothing found.</p>`}
  <//>`;
}

/** @param {{commands: Command[]}} props */
export function Help({ commands }) {
  const groups = [...new Set(commands.map((one) => one.group))];
  return html`<${Dialog} label="Keys"><h2>Keys</h2>
    ${groups.map((group) => html`<h3 key=${group}>${group}</h3><dl class="keys">${commands.filter((one) => one.group === group && one.keys).map((one) => html`<div key=${one.words}><dt><kbd>${one.keys}</kbd></dt><dd>${one.words}</dd></div>`)}</dl>`)}
    <dl class="keys"><div><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>Next and last row</dd></div><div><dt><kbd>Enter</kbd></dt><dd>Open the row</dd></div><div><dt><kbd>Ctrl K</kbd></dt><dd>Find or do</dd></div></dl>
    <form method="dialog"><button>Close</button></form>
  <//>`;
}
