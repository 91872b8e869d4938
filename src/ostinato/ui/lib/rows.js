/** Rows of tables that the keys of the interface move between. */
import { go } from "./route.js";

/** Give what makes a row one that Enter opens. */
export const opens = (/** @type {string} */ address) => does(() => go(address));

/** Give what makes a row one at which Enter does something. */
export function does(/** @type {(row: HTMLElement) => void} */ act) {
  return {
    tabindex: 0,
    onKeyDown: (/** @type {any} */ event) => {
      if (event.key === "Enter" && event.target === event.currentTarget) act(event.currentTarget);
    },
  };
}
