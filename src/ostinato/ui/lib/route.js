/** Addresses: every view is one, so that it can be linked, opened in a tab, and gone back to. */
import { signal } from "@preact/signals";

const base = new URL(document.baseURI).pathname;

/** Names that mean another place in an address: they are written in a way of their own. */
const DOTS = /^(%252E){1,2}$/;

/** Give the parts of the address below the base, and its query. */
function read() {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : "";
  return {
    parts: path.split("/").filter(Boolean).map(decoded),
    query: new URLSearchParams(location.search),
  };
}

/** Give a part as it was meant; one that somebody wrote with a bare % is meant as it stands. */
function decoded(/** @type {string} */ part) {
  try {
    return decodeURIComponent(DOTS.test(part) ? part.replaceAll("%252E", ".") : part);
  } catch {
    return part;
  }
}

/** Where we are. */
export const place = signal(read());

/** Give the address of a view, relative to the base. */
export function to(/** @type {string[]} */ ...parts) {
  return base + parts.map((part) => (/^\.{1,2}$/.test(part) ? part.replaceAll(".", "%252E") : encodeURIComponent(part))).join("/");
}

/**
 * Go to an address; `replace` leaves no step to go back to.
 * @param {string} address
 * @param {boolean} [replace]
 */
export function go(address, replace = false) {
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  place.value = read();
  if (!replace) scrollTo(0, 0);
}

/** Change one value of the query; empty takes it away. */
export function setQuery(/** @type {string} */ name, /** @type {string} */ value, replace = true) {
  const query = new URLSearchParams(location.search);
  if (value) query.set(name, value);
  else query.delete(name);
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), replace);
}

addEventListener("popstate", () => (place.value = read()));

addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.target || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(base) || link.pathname.startsWith(`${base}api/`) || link.hasAttribute("download")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
