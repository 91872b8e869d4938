/** The palette (find something by its name, do a thing) and the help: both from the registry of commands. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { overlay } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { go, to } from "../lib/route.js";
import { addressOf, saved } from "../lib/saved.js";
import { Dialog } from "./dialog.js";
import { State } from "./state.js";

const PAUSE_MS = 120;

/** @typedef {import("../lib/commands.js").Command} Command */
/** @typedef {{key: string, words: string, beside: any, run: () => void}} Choice */

/** What the server finds by its name: what it is called, and where its page is. */
const KINDS = /** @type {Record<string, [string, string]>} */ ({
  flow: ["flow", "flows"],
  deployment: ["deployment", "deployments"],
  model: ["model", "models"],
  run: ["run", "runs"],
});

/** Close what is open; a box tells late that it was closed, when another may be open. */
const closing = (/** @type {string} */ name) => () => {
  if (overlay.value === name) overlay.value = "";
};
const close = closing("palette");

/** @param {{commands: Command[]}} props */
export function Palette({ commands }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const named = useNamed(text.trim());
  useLayoutEffect(() => box.current?.showModal(), []); // at once: keys that follow are for it
  const words = text.toLowerCase().split(/\s+/);
  const views = saved.value.map((one) => ({ keys: "", words: `Saved view: ${one.name}`, group: "", run: () => go(addressOf(one)) }));
  const does = [...commands, ...views].flatMap(({ words: said, keys, run }) => (run && words.every((word) => said.toLowerCase().includes(word)) ? [{ key: said, words: said, beside: keys && html`<kbd>${keys}</kbd>`, run }] : []));
  const found = /** @type {Choice[]} */ ([...does, ...named]); // what comes later stands below: the choice stays
  const chosen = Math.min(at, found.length - 1);
  const take = (/** @type {Choice | undefined} */ one) => {
    close();
    one?.run();
  };
  useEffect(() => document.getElementById(`found-${chosen}`)?.scrollIntoView({ block: "nearest" }), [chosen]);
  function press(/** @type {KeyboardEvent} */ event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      setAt((chosen + by + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter" && found[chosen]) {
      event.preventDefault();
      take(found[chosen]);
    }
  }
  return html`<dialog ref=${box} class="palette" aria-label="Find or do" onClose=${close} onClick=${(/** @type {Event} */ event) => event.target === box.current && close()}>
    <input autofocus role="combobox" aria-expanded="true" aria-controls="found" aria-activedescendant=${found[chosen] ? `found-${chosen}` : undefined}
      aria-label="Find or do" placeholder="A name, a command, or a query for runs" spellcheck=${false} autocomplete="off" value=${text} onKeyDown=${press}
      onInput=${(/** @type {any} */ event) => (setText(event.currentTarget.value), setAt(0))} />
    <ul id="found" role="listbox" aria-label="What was found">${found.map((one, index) => html`<li key=${one.key} id=${`found-${index}`} role="option" aria-selected=${index === chosen}
      onClick=${() => take(one)}><span dir="auto">${one.words}</span><span class="quiet">${one.beside}</span></li>`)}</ul>
    ${!found.length && html`<p class="quiet">Nothing found.</p>`}
  </dialog>`;
}

/** Give what has a name like this. @returns {Choice[]} */
function useNamed(/** @type {string} */ text) {
  const [found, setFound] = useState(/** @type {Api.Found[]} */ ([]));
  useEffect(() => {
    if (!text) return void setFound([]);
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const answer = await ask(withQuery("api/ui/find", { text }), { signal: stop.signal }).catch(() => []);
      if (!stop.signal.aborted) setFound(answer);
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  return found.map(({ kind, name, id, state }) => {
    const [said, page] = KINDS[kind] ?? [kind, kind];
    return { key: `${kind}/${id}`, words: name, beside: state ? html`<${State} state=${state} />` : said, run: () => go(to(page, id)) };
  });
}

/** @param {{commands: Command[]}} props */
export function Help({ commands }) {
  const shown = commands.filter((one, at) => one.keys && commands.findIndex((other) => other.keys === one.keys) === at);
  const groups = [...new Set(shown.map((one) => one.group))];
  return html`<${Dialog} label="Keys" close=${closing("help")}>
    <div class="groups">${groups.map((group) => html`<section key=${group}><h3>${group}</h3><dl class="keys">${shown.filter((one) => one.group === group).map((one) => html`<div key=${one.keys}><dt><kbd>${one.keys}</kbd></dt><dd>${one.words}</dd></div>`)}</dl></section>`)}</div>
    <form method="dialog"><button>Close</button></form>
  <//>`;
}
