/** Tracebacks: the line of source that failed. */

/** Give the lines of source that a traceback shows for the frame in which it ended, with the marks below them. */
export function failingSource(/** @type {string} */ trace) {
  const lines = trace.split("\n");
  const head = lines.findLastIndex((line) => /^\s+File "[^"]*", line \d+/.test(line));
  if (head < 0) return "";
  const found = [];
  for (const line of lines.slice(head + 1)) {
    if (!/^ {4}/.test(line)) break;
    found.push(line.slice(4));
  }
  return found.join("\n");
}
