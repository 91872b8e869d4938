/** A view's data: loaded once, kept while it is loaded anew, and loaded again when something happens to it. */
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api.js";
import { listen, shown } from "./feed.js";
import { setClock } from "./time.js";

/**
 * Give what an address answers, and have it asked again when something that `concerns` it happens.
 * What was there stays on the screen meanwhile.
 * @template {string} P
 * @param {P} path
 * @param {(event: import("./feed.js").Happening) => boolean} concerns
 * @param {number} [pause_ms] longest pause between two requests; it is as short as answers are quick
 * @param {number} [least_ms] shortest one, where much may happen
 * @returns {{data: Api.Answer<P> | null, error: Error | null, again: () => void}}
 */
export function useView(path, concerns, pause_ms = 300, least_ms = 0) {
  const [state, setState] = useState(/** @type {{path: string, data: any, error: any}} */ ({ path: "", data: null, error: null }));
  const [count, setCount] = useState(0);
  useEffect(() => {
    let over = false;
    let busy = false;
    let wanted = false;
    let timer = 0;
    const stop = new AbortController();
    async function load() {
      if (busy) return void (wanted = true);
      busy = true;
      wanted = false;
      const begunAt = performance.now();
      try {
        const data = await ask(path, { signal: stop.signal });
        if (over) return;
        if (data?.now) setClock(data.now);
        setState({ path, data, error: null });
        shown();
      } catch (error) {
        if (!over) setState((old) => ({ path, data: old.path === path ? old.data : null, error }));
      }
      timer = setTimeout(() => {
        busy = false;
        if (wanted && !over) void load();
      }, Math.max(least_ms, Math.min(pause_ms, 50 + 5 * (performance.now() - begunAt))));
    }
    void load();
    const end = listen((events) => {
      if (events.some((event) => event.kind === "reload" || concerns(event))) void load();
    });
    return () => {
      over = true;
      clearTimeout(timer);
      stop.abort();
      end();
    };
  }, [path, count]);
  const fresh = state.path === path;
  return { data: fresh ? state.data : null, error: fresh ? state.error : null, again: () => setCount(count + 1) };
}
