/** Tracebacks: the line of source that failed. */

/** Give the lines of source that the traceback of an error shows for the line of the user, with the marks below them. */
export function failingSource(/** @type {{trace: string, file: string, line: number}} */ { trace, file, line: number }) {
  const lines = trace.split("\n");
  const own = lines.findLastIndex((line) => line.trimStart().startsWith(`File "${file}", line ${number},`));
  const head = own >= 0 ? own : lines.findLastIndex((line) => /^\s+File "[^"]*", line \d+/.test(line));
  if (head < 0) return "";
  const found = [];
  for (const line of lines.slice(head + 1)) {
    if (!/^ {4}/.test(line)) break;
    found.push(line.slice(4));
  }
  return found.join("\n");
}
