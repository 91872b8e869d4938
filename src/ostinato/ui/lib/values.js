/** Fields of tracking runs (`metrics.rmse`, `params.depth`, `tags.team`) and their values, as tables show them. */

const SMALL = 1e-4, LARGE = 1e9;
const SIGNS = /** @type {Record<string, string>} */ ({ nan: "NaN", inf: "∞", "-inf": "-∞" });
/** A text that is a number with more digits than a table shows. */
const LONG = /^-?\d*\.\d{7,}(e[+-]?\d+)?$/i;

/** Give a number in six digits, with an exponent when it is very small or large; whole ones are exact. */
function digits(/** @type {number} */ value) {
  const size = Math.abs(value);
  if (size && (size < SMALL || size >= LARGE)) return Number(value.toPrecision(6)).toExponential();
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

export const shown = (/** @type {number | null | undefined} */ value) => (value === undefined || value === null ? "" : digits(value));

/** Give a value as a table shows it: a number, and a text that is one, in six digits; another text as it is. */
export const cell = (/** @type {number | string | null | undefined} */ value) => (typeof value === "number" ? shown(value) : LONG.test(value ?? "") ? shown(Number(value)) : (value ?? ""));

/** Give the value of a metric as a table shows it: in six digits, or the sign of one that is not finite. */
export const metric = (/** @type {number | string | null | undefined} */ value) => (typeof value === "string" ? (SIGNS[value] ?? value) : shown(value));

/** Give the part and the key of a field. */
export function parted(/** @type {string} */ field) {
  const at = field.indexOf(".");
  return { part: field.slice(0, at), key: field.slice(at + 1) };
}

export const nameOf = (/** @type {string} */ field) => parted(field).key;

/** Whether the values of a field are numbers. */
export const isMetric = (/** @type {string} */ field) => field.startsWith("metrics.");

/** Give the value of a field as a table shows it. */
export const fieldCell = (/** @type {string} */ field, /** @type {number | string | null | undefined} */ value) => (isMetric(field) ? metric(value) : cell(value));

/** Give a field as filters and orders write it. */
export function term(/** @type {string} */ field) {
  const { part, key } = parted(field);
  return `${part}.${/^[\w.]+$/.test(key) ? key : `\`${key}\``}`;
}

/** Give a value as a finite number, null when it is none. */
export function number(/** @type {number | string | null | undefined} */ value) {
  const found = typeof value === "string" && value.trim() ? Number(value) : value;
  return typeof found === "number" && Number.isFinite(found) ? found : null;
}

export const isNumeric = (/** @type {number | string | null | undefined} */ value) => number(value) !== null;

/** Give bytes in words. */
export function bytes(/** @type {number | null | undefined} */ n) {
  if (n === null || n === undefined) return "";
  const power = Math.min(4, Math.floor(Math.log(Math.max(n, 1)) / Math.log(1024)));
  const scaled = n / 1024 ** power;
  return power ? `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${["", "KiB", "MiB", "GiB", "TiB"][power]}` : `${n} bytes`;
}

/** Give texts as one value of an address, and back. */
export const joined = (/** @type {string[]} */ texts) => texts.map(encodeURIComponent).join(",");
export const apart = (/** @type {string | null} */ text) => (text ?? "").split(",").filter(Boolean).map(decodeURIComponent);
