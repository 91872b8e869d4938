/** The query of a list of runs: written with help, told where it is wrong, and kept under a name. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { chosen } from "../lib/columns.js";
import { complete, written } from "../lib/completion.js";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { quoted } from "../lib/query.js";
import { place, setQuery } from "../lib/route.js";
import { addressOf, forget, save, saved } from "../lib/saved.js";
import { Failure } from "./notices.js";

const MOST = 12;
const PAUSE_MS = 150;

/** @param {{query: string}} props */
export function QueryBar({ query }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [{ text, caret }, setText] = useState({ text: query, caret: query.length });
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const { field, from: begin } = written(text, caret);
  const names = useNames(open ? field : "", text.slice(begin, caret));
  const found = complete(text, caret, names);
  const options = open ? found.options.slice(0, MOST) : [];
  useEffect(() => setText({ text: query, caret: query.length }), [query]);

  function take(/** @type {string} */ word) {
    const box = /** @type {HTMLInputElement} */ (input.current);
    box.setRangeText(word, found.from, caret, "end"); // at once: keys that follow go behind it
    box.focus();
    setText({ text: box.value, caret: found.from + word.length });
    setAt(-1);
    setOpen(word.endsWith(":"));
  }
  function press(/** @type {KeyboardEvent} */ event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const chosen = options[at];
    if (by) {
      event.preventDefault();
      setOpen(true);
      setAt(open && options.length ? (Math.max(at, by < 0 ? 0 : -1) + by + options.length) % options.length : 0);
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen) {
      event.preventDefault();
      take(chosen.text);
    } else if (event.key === "Escape") {
      if (!open) input.current?.blur();
      event.preventDefault();
      setOpen(false);
    }
  }
  function submit(/** @type {Event} */ event) {
    event.preventDefault();
    setOpen(false);
    input.current?.blur();
    setQuery("q", text.trim(), false);
  }
  return html`<form class="query" role="search" onSubmit=${submit}>
    <span class="entry"><input ref=${input} name="q" data-search type="search" role="combobox" aria-label="Query" aria-autocomplete="list" aria-controls="terms"
      aria-expanded=${options.length > 0} aria-activedescendant=${options[at] ? `term-${at}` : undefined} value=${text} spellcheck=${false} autocomplete="off"
      placeholder="flow:train state:failed since:24h" maxlength="1000" onKeyDown=${press} onBlur=${() => setOpen(false)}
      onInput=${(/** @type {any} */ event) => {
        const { value, selectionStart } = event.currentTarget;
        setText({ text: value, caret: selectionStart ?? value.length });
        setAt(-1);
        setOpen(/\S$/.test(value.slice(0, selectionStart)));
      }} />
    <ul id="terms" role="listbox" aria-label="What can follow" hidden=${!options.length}>${options.map((one, index) => html`<li key=${one.text} id=${`term-${index}`} role="option"
      aria-selected=${index === at} onMouseDown=${(/** @type {Event} */ event) => (event.preventDefault(), take(one.text))}><b dir="auto">${one.text}</b> <span class="quiet">${one.help}</span></li>`)}</ul></span>
    <button>Search</button>
  </form>`;
}

/** Give names of flows or deployments as a query writes them, while one of them is being written. */
function useNames(/** @type {string} */ field, /** @type {string} */ part) {
  const [names, setNames] = useState(/** @type {string[]} */ ([]));
  const wanted = (field === "flow" || field === "deployment") && part ? part : "";
  useEffect(() => {
    setNames([]);
    if (!wanted) return;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const found = await ask(withQuery("api/ui/find", { text: wanted }), { signal: stop.signal }).catch(() => []);
      if (!stop.signal.aborted) setNames(found.filter((/** @type {Api.Found} */ one) => one.kind === field).map((/** @type {Api.Found} */ one) => quoted(one.name)));
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [field, wanted]);
  return names;
}

/** What went wrong with a query: the place that cannot be read, and why. @param {{error: any, query: string, again?: () => void}} props */
export function Wrong({ error, query, again }) {
  const column = error.code === "query-invalid" ? error.values?.column : 0;
  return html`${column && html`<pre class="fault" aria-hidden="true">${`${query}\n${" ".repeat(column - 1)}^`}</pre>`}
    <${Failure} error=${error} again=${column ? undefined : again} />`;
}

/** Views that were saved, and the way to save this one. */
export function SavedViews() {
  const [naming, setNaming] = useState(false);
  const query = new URLSearchParams(place.value.query);
  query.delete("run");
  const here = query.toString();
  const known = saved.value.some((one) => one.query === here);
  function submit(/** @type {any} */ event) {
    event.preventDefault();
    const name = event.currentTarget.elements.name.value.trim();
    if (chosen()) query.set("columns", chosen());
    if (name) save(name, query.toString());
    setNaming(false);
  }
  if (!saved.value.length && !here) return null;
  return html`<nav class="facets saved" aria-label="Saved views">
    ${saved.value.map((one) => html`<span key=${one.name} class="chip"><a href=${addressOf(one)} aria-current=${one.query === here} dir="auto">${one.name}</a>
      <button class="plain" aria-label=${`Forget the view ${one.name}`} title="Forget this view" onClick=${() => forget(one.name)}>×</button></span>`)}
    ${here && !known && (naming
      ? html`<form class="chip" onSubmit=${submit}><input name="name" aria-label="Name of the view" placeholder="Name of the view" maxlength="60" required ref=${focusOn}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && setNaming(false)} /><button>Save</button></form>`
      : html`<button class="plain" onClick=${() => setNaming(true)}>☆ Save this view</button>`)}
  </nav>`;
}
