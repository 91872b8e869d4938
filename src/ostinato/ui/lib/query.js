/** Values and terms of the query grammar of runs. */

/** Give a text as a value: quoted when the grammar would read something else. */
export const quoted = (/** @type {string} */ text) => (/^[\w.-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`);

/** Give the term that a field has this value. */
export const term = (/** @type {string} */ field, /** @type {string} */ value) => `${field}:${quoted(value)}`;
