/** Lines of a log: a stretch of them is held, and moved by pages; long messages folded to one row. */
import { ask, withQuery } from "./api.js";

/** @typedef {{id: number, at: string, level: string, no: number, task: string | null, logger: string, text: string}} Line */
/** @typedef {{key: string, line: Line, text: string, part: number, own: boolean, more: number, last: string, open: boolean}} Row */

const PAGE = 500;
const MOST_LOOKS = 20;
const SHORT = 3;

/** What is held of a log. Cursors: `from` leads to earlier lines (null at the beginning), `to` to later ones. */
export class Stretch {
  /** @type {Line[]} */
  lines = [];
  /** @type {number | null} */
  from = null;
  to = 0;
  ended = true;
  most = 3000;
  /** @type {any} */
  error = null;
  #turn = 0;
  #busy = 0;
  #again = false;

  /**
   * @param {string} path of the log
   * @param {Record<string, number>} filter
   * @param {() => void} changed
   */
  constructor(path, filter, changed) {
    this.path = path;
    this.filter = filter;
    this.changed = changed;
  }

  /** Begin with the last lines, that are here already. */
  begin(/** @type {Line[]} */ lines, /** @type {boolean} */ whole) {
    this.lines = lines;
    this.from = whole ? null : (lines[0]?.id ?? null);
    this.to = lines.at(-1)?.id ?? 0;
    this.ended = true;
  }

  /** @param {Record<string, number>} place */
  #page(place) {
    return ask(withQuery(this.path, { ...this.filter, ...place, limit: PAGE }));
  }

  /** Hold something else, unless another wish comes meanwhile. */
  async #jump(/** @type {() => Promise<void>} */ work) {
    const turn = ++this.#turn;
    this.#busy = turn;
    try {
      await work();
      if (turn === this.#turn) this.error = null;
    } catch (problem) {
      if (turn === this.#turn) this.error = problem;
    }
    if (this.#busy === turn) this.#busy = 0;
    if (turn === this.#turn) this.changed();
    if (this.#again && !this.#busy) {
      this.#again = false;
      void this.later();
    }
  }

  /** Hold the end. */
  async tail() {
    const turn = this.#turn + 1;
    await this.#jump(async () => {
      let found = await this.#page({});
      for (let n = 0; !found.items.length && found.next && n < MOST_LOOKS; n++) found = await this.#page({ before: found.next });
      if (turn !== this.#turn) return;
      this.begin(found.items, found.next === null);
      this.from = found.next;
    });
  }

  /** Hold the beginning. */
  async head() {
    const turn = this.#turn + 1;
    await this.#jump(async () => {
      let found = await this.#page({ after: 0 });
      for (let n = 0; !found.items.length && found.next && n < MOST_LOOKS; n++) found = await this.#page({ after: found.next });
      if (turn !== this.#turn) return;
      this.lines = found.items;
      this.from = null;
      this.to = found.next ?? found.items.at(-1)?.id ?? 0;
      this.ended = found.next === null;
    });
  }

  /** Hold what stands around a line. */
  async around(/** @type {number} */ id) {
    const turn = this.#turn + 1;
    await this.#jump(async () => {
      const [before, after] = await Promise.all([this.#page({ before: id }), this.#page({ after: id - 1 })]);
      if (turn !== this.#turn) return;
      this.lines = [...before.items, ...after.items];
      this.from = before.next;
      this.to = after.next ?? this.lines.at(-1)?.id ?? 0;
      this.ended = after.next === null;
    });
  }

  /** Take in the page before; what is too much at the other end is let go. */
  async earlier() {
    if (this.#busy || this.from === null) return;
    await this.#jump(async () => {
      const turn = this.#turn;
      for (let n = 0; this.from !== null && n < MOST_LOOKS; n++) {
        const found = await this.#page({ before: this.from });
        if (turn !== this.#turn) return;
        this.from = found.next;
        if (!found.items.length) continue;
        this.lines = [...found.items, ...this.lines];
        if (this.lines.length > this.most) {
          this.lines = this.lines.slice(0, this.most);
          this.to = this.lines.at(-1)?.id ?? 0;
          this.ended = false;
        }
        return;
      }
    });
  }

  /** Take in the page after. Called again while it is at it, it looks once more. */
  async later() {
    if (this.#busy) return void (this.#again = true);
    await this.#jump(async () => {
      const turn = this.#turn;
      for (let n = 0; n < MOST_LOOKS; n++) {
        const found = await this.#page({ after: this.to });
        if (turn !== this.#turn) return;
        this.to = found.next ?? found.items.at(-1)?.id ?? this.to;
        this.ended = found.next === null;
        if (found.items.length) {
          this.lines = [...this.lines, ...found.items];
          if (this.lines.length > this.most) {
            this.lines = this.lines.slice(-this.most);
            this.from = this.lines[0]?.id ?? null;
          }
        }
        if (this.ended || found.items.length) return;
      }
    });
  }

  /** Whether a line is held. */
  holds(/** @type {number} */ id) {
    const [first, last] = [this.lines[0], this.lines.at(-1)];
    return first !== undefined && last !== undefined && first.id <= id && id <= last.id;
  }

  /** Give the lines between two of them, both included, held or not; `most` of them at most. */
  async between(/** @type {number} */ first, /** @type {number} */ last, most = 100_000) {
    if (this.holds(first) && this.holds(last)) return this.lines.filter((line) => line.id >= first && line.id <= last);
    /** @type {Line[]} */
    const found = [];
    let after = first - 1;
    while (found.length < most) {
      const page = await ask(withQuery(this.path, { ...this.filter, after, limit: 1000 }));
      found.push(...page.items.filter((/** @type {Line} */ line) => line.id <= last));
      if (page.next === null || page.next >= last) break;
      after = page.next;
    }
    return found;
  }
}

/**
 * Give the rows of lines: one for each line of text; a long message, or lines that make up a traceback, is one row
 * until it is opened.
 * @param {Line[]} lines
 * @param {Set<number>} open ids of lines
 * @returns {Row[]}
 */
export function rowsOf(lines, open) {
  /** @type {Row[]} */
  const rows = [];
  for (let at = 0; at < lines.length; at++) {
    const line = /** @type {Line} */ (lines[at]);
    const parts = line.text.split("\n").map((text) => ({ line, text }));
    if (line.text.startsWith("Traceback (most recent call last)") && parts.length === 1) {
      for (let next = lines[at + 1]; next && next.no === line.no; next = lines[at + 1]) {
        parts.push({ line: next, text: next.text });
        at++;
        if (!/^\s/.test(next.text)) break;
      }
    }
    while (parts.length > 1 && !parts.at(-1)?.text) parts.pop();
    const long = parts.length > SHORT;
    const isOpen = !long || open.has(line.id);
    for (const [part, { line: said, text }] of (isOpen ? parts : parts.slice(0, 1)).entries()) {
      rows.push({ key: `${said.id}.${part}`, line: said, text, part, own: !part || said !== line, more: long && !part ? parts.length - 1 : 0, last: parts.at(-1)?.text ?? "", open: isOpen });
    }
  }
  return rows;
}
