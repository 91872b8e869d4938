/** Parameters and metrics of tracking runs, as tables show them. */

/** Names of values, those that differ between runs first: what is equal everywhere tells nothing. */
export function columnsOf(/** @type {any[]} */ runs, /** @type {"params" | "metrics"} */ part) {
  /** @type {Map<string, Set<string>>} */
  const found = new Map();
  for (const run of runs) for (const [key, value] of Object.entries(run[part])) found.set(key, (found.get(key) ?? new Set()).add(String(value)));
  return [...found].sort(([a, x], [b, y]) => Number(y.size > 1) - Number(x.size > 1) || a.localeCompare(b)).map(([key]) => key);
}

export const shown = (/** @type {number | null | undefined} */ value) => (value === undefined ? "" : value === null ? "not finite" : Number(value.toPrecision(6)).toString());
