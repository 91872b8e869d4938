/** Instants and durations in words; local time, or UTC when asked for. */
import { signal } from "@preact/signals";

/** `local` or `UTC`. */
export const zone = signal(localStorage.getItem("ostinato.zone") === "UTC" ? "UTC" : "local");

/** How far the server's clock is ahead of ours, which may be wrong: the page tells what it showed when it was sent. */
let ahead = aheadAtFirst();

/** How late it is, in milliseconds of the server's clock; told anew every second. */
export const now = signal(Date.now() + ahead);

function aheadAtFirst() {
  const told = document.querySelector('meta[name="now"]')?.getAttribute("content");
  const [sent] = performance.getEntriesByType("navigation");
  if (!told || !(sent instanceof PerformanceNavigationTiming)) return 0;
  return Date.parse(told) + performance.now() - sent.responseStart - Date.now();
}

/** Take over what the server's clock shows. */
export function setClock(/** @type {string} */ instant) {
  ahead = Date.parse(instant) - Date.now();
  now.value = Date.now() + ahead;
}

setInterval(() => (now.value = Date.now() + ahead), 1000);

/** Change between local time and UTC. */
export function changeZone() {
  zone.value = zone.value === "UTC" ? "local" : "UTC";
  localStorage.setItem("ostinato.zone", zone.value);
}

/** Give an instant in full. */
export function full(/** @type {string | null | undefined} */ instant) {
  if (!instant) return "";
  const options = /** @type {const} */ ({ dateStyle: "medium", timeStyle: "medium" });
  const text = new Intl.DateTimeFormat("en-GB", zone.value === "UTC" ? { ...options, timeZone: "UTC" } : options);
  return `${text.format(new Date(instant))}${zone.value === "UTC" ? " UTC" : ""}`;
}

/** Give an instant to the minute: `25 Nov, 14:05`. */
export function brief(/** @type {string} */ instant) {
  const options = /** @type {Intl.DateTimeFormatOptions} */ ({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (zone.value === "UTC") options.timeZone = "UTC";
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(instant));
}

/** Give the time of day of an instant, with milliseconds. */
export function clock(/** @type {string} */ instant) {
  const options = /** @type {Intl.DateTimeFormatOptions} */ ({
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
  });
  if (zone.value === "UTC") options.timeZone = "UTC";
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(instant));
}

const UNITS = /** @type {const} */ ([["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]);

/** Give a duration in two units at most: `1h 5m`, `3.2s`, `12ms`. */
export function span(/** @type {number | null | undefined} */ seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  let left = Math.round(seconds);
  const words = [];
  for (const [name, size] of UNITS) {
    if (left >= size && words.length < 2) {
      words.push(`${Math.floor(left / size)}${name}`);
      left %= size;
    } else if (words.length) break;
  }
  return words.join(" ") || "0s";
}

/** Give how far an instant is away: `3m ago`, `in 2h`. */
export function distance(/** @type {string | null | undefined} */ instant, at = now.value) {
  if (!instant) return "";
  const seconds = (at - Date.parse(instant)) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  const text = span(Math.max(1, Math.floor(Math.abs(seconds)))).split(" ")[0];
  return seconds > 0 ? `${text?.replace(".0", "")} ago` : `in ${text?.replace(".0", "")}`;
}

/** Give how long something has taken, or takes so far, in seconds. */
export function taken(/** @type {string | null} */ begin, /** @type {string | null} */ end, at = now.value) {
  return begin ? Math.max(0, ((end ? Date.parse(end) : at) - Date.parse(begin)) / 1000) : null;
}
