/** Search in all lines of a log, those that are loaded and those that are not. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ask, withQuery } from "./api.js";

const MOST = 1000;
/** As fast as one types, only the last word is sought. */
const PAUSE_MS = 30;

/**
 * Give the lines in which a text is found, the oldest first, from the end backwards; `told` gets what is found so far.
 * @param {string} path of the log
 * @param {Record<string, number>} filter
 * @param {string} text
 * @param {number | undefined} before
 * @param {AbortSignal} signal
 * @param {(ids: number[]) => void} told
 * @returns {Promise<{ids: number[], next: number | null}>}
 */
async function find(path, filter, text, before, signal, told) {
  /** @type {number[]} */
  let ids = [];
  let next = before;
  do {
    const found = await ask(withQuery(`${path}/hits`, { ...filter, text, before: next, limit: MOST - ids.length }), { signal });
    ids = [...found.ids.reverse(), ...ids];
    next = found.next ?? undefined;
    told(ids);
  } while (next !== undefined && ids.length < MOST);
  return { ids, next: next ?? null };
}

/**
 * Search all lines: the newest hit is shown first, and one goes to those before and after it.
 * @param {string} path
 * @param {Record<string, number>} filter
 * @param {(id: number) => void} show
 */
export function useSearch(path, filter, show) {
  const [text, setText] = useState("");
  const [found, setFound] = useState(/** @type {{ids: number[], next: number | null, at: number, done: boolean, error: any}} */ ({ ids: [], next: null, at: -1, done: true, error: null }));
  const start = useRef(0);
  const stop = useRef(new AbortController());
  useEffect(() => {
    const nothing = { ids: [], next: null, at: -1, done: !text, error: null };
    setFound(nothing);
    if (!text) return;
    const own = (stop.current = new AbortController());
    const timer = setTimeout(run, PAUSE_MS, undefined, own.signal);
    return () => {
      clearTimeout(timer);
      own.abort();
    };
  }, [path, filter, text]);
  useLayoutEffect(() => {
    if (!start.current || !(found.done || found.ids.length)) return;
    performance.measure("ostinato:log-search", { start: start.current, detail: { hits: found.ids.length } });
    start.current = 0;
  }, [found]);

  /** Look for hits, from the end or before a line on. */
  async function run(/** @type {number | undefined} */ before, /** @type {AbortSignal} */ signal) {
    let shown = false;
    try {
      const answer = await find(path, filter, text, before, signal, (ids) => {
        if (signal.aborted) return;
        if (!before) setFound({ ids, next: null, at: ids.length - 1, done: false, error: null });
        const newest = ids.at(-1);
        if (!shown && newest !== undefined) show(newest);
        shown ||= newest !== undefined;
      });
      if (signal.aborted) return;
      setFound((old) => ({ ids: before ? [...answer.ids, ...old.ids] : answer.ids, next: answer.next, at: answer.ids.length - 1, done: true, error: null }));
    } catch (error) {
      if (!signal.aborted) setFound((old) => ({ ...old, done: true, error }));
    }
  }
  function step(/** @type {number} */ by) {
    const n = found.ids.length;
    if (!n) return;
    if (found.at + by < 0 && found.next !== null) return void run(found.next, stop.current.signal);
    const at = (found.at + by + n) % n;
    setFound({ ...found, at });
    const id = found.ids[at];
    if (id !== undefined) show(id);
  }
  const n = found.ids.length.toLocaleString("en");
  const said = found.ids.length ? `hit ${(found.at + 1).toLocaleString("en")} of ${found.next === null ? n : `the newest ${n}`}` : found.done ? "no hit" : "searching";
  return {
    text, step, said, error: found.error,
    seek(/** @type {string} */ word) {
      start.current = performance.now();
      setText(word);
    },
  };
}
