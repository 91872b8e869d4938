/** A long list, the newest first: pages of it are loaded as they come near, and those in view loaded anew when
 * something happens to them.
 *
 * Ids fall from item to item. A page holds all that match below `after`, down to its `next`.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ask, withQuery } from "./api.js";
import { listen } from "./feed.js";
import { setClock } from "./time.js";

const FIRST = 100;
const MORE = 200;
const NEAR = 60;
const PAUSE_MS = 300;

/** @typedef {import("./feed.js").Happening} Happening */

export class List {
  /** @type {Api.RunRow[]} */
  items = [];
  /** Where the next page begins; null at the end, undefined before the first page. @type {string | null | undefined} */
  next = undefined;
  /** The newest answer. @type {Api.RunsScreen | null} */
  answer = null;
  /** @type {any} */
  error = null;
  /** Whether a page brought nothing: what lies further back is only looked for when somebody asks. */
  isRare = false;

  /** When something happened to which item. @type {Map<string, number>} */
  #stale = new Map();
  #newerAt = 0;
  #restUntil = 0;
  #first = 0;
  #last = 0;
  #isBusy = false;
  #timer = 0;
  #stop = new AbortController();

  /** @param {string} path @param {string} query @param {() => void} tell */
  constructor(path, query, tell) {
    this.path = path;
    this.query = query;
    this.tell = tell;
  }

  /** Whether there may be items above the first one, which are not loaded while one looks further down. */
  get hasNewer() {
    return this.#first > 0 && this.#newerAt > 0;
  }

  /** Begin; gives what ends it. */
  begin(/** @type {Set<string>} */ kinds) {
    const end = listen((events) => {
      if (this.error && !(this.error.status >= 400 && this.error.status < 500)) this.error = null; // the server is there again
      for (const event of events) {
        if (event.kind === "reload" || event.kind === "stream-lost") this.#miss();
        else if (kinds.has(event.kind)) this.#hear(event.data.run_id);
      }
      if (this.hasNewer) this.tell();
      void this.#go();
    });
    void this.#go();
    return () => {
      end();
      clearTimeout(this.#timer);
      this.#stop.abort();
    };
  }

  /** Say which items are on the screen. */
  see(/** @type {number} */ first, /** @type {number} */ last) {
    this.#first = first;
    this.#last = last;
    void this.#go();
  }

  /** Look for what lies further back; after an error once more. */
  further() {
    this.isRare = false;
    this.error = null;
    void this.#go();
  }

  #hear(/** @type {string} */ id) {
    if (!this.items[0] || id > this.items[0].id) this.#newerAt = performance.now();
    else if (!this.next || id >= this.next) this.#stale.set(id, performance.now());
  }

  #miss() {
    this.#newerAt = performance.now();
    for (const one of this.items) this.#stale.set(one.id, this.#newerAt);
  }

  async #go() {
    const due = this.#due();
    if (!due || this.#isBusy || this.#stop.signal.aborted) return;
    this.#isBusy = true;
    try {
      await this.#load(...due);
      this.error = null;
    } catch (problem) {
      if (this.#stop.signal.aborted) return;
      this.error = problem;
    }
    this.#isBusy = false;
    this.tell();
    void this.#go();
  }

  /** Give what is to be loaded now: where it begins, and how much. @returns {[string, number] | null} */
  #due() {
    if (this.error) return null;
    if (this.next === undefined) return ["", FIRST];
    if (this.next && !this.isRare && this.#last + NEAR > this.items.length) return [this.next, MORE];
    const above = (this.#first && this.items[this.#first - 1]?.id) || "";
    const low = this.items[Math.min(this.#last, this.items.length) - 1]?.id ?? "";
    const isOld = (!above && this.#newerAt) || [...this.#stale.keys()].some((id) => id >= low && (!above || id < above));
    if (!isOld) return null;
    const wait = this.#restUntil - performance.now();
    if (wait <= 0) return [above, FIRST];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#go(), wait);
    return null;
  }

  async #load(/** @type {string} */ after, /** @type {number} */ limit) {
    const begun = performance.now();
    const answer = /** @type {Api.RunsScreen} */ (await ask(withQuery(this.path, { query: this.query, limit, after }), { signal: this.#stop.signal }));
    setClock(answer.now);
    const low = answer.next ?? "";
    const above = after ? this.items.filter((one) => one.id >= after) : [];
    const below = low ? this.items.filter((one) => one.id < low) : [];
    this.isRare = !answer.items.length && !!answer.next;
    this.items = [...above, ...answer.items, ...below];
    if (this.next === undefined || !low || (this.next && low < this.next)) this.next = answer.next;
    this.answer = answer;
    this.#restUntil = performance.now() + Math.min(PAUSE_MS, 50 + 5 * (performance.now() - begun));
    for (const [id, at] of this.#stale) if (at < begun && id >= low && (!after || id < after)) this.#stale.delete(id);
    if (!after && this.#newerAt < begun) this.#newerAt = 0;
  }
}

/**
 * Give a list of runs.
 * @param {string} path
 * @param {string} query
 * @param {Set<string>} kinds of events that change its items
 */
export function useList(path, query, kinds) {
  const [, draw] = useState(0);
  const list = useMemo(() => new List(path, query, () => draw((n) => n + 1)), [path, query]);
  useEffect(() => list.begin(kinds), [list]);
  return list;
}
