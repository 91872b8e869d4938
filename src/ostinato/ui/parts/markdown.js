/** Markdown as elements: what is written as HTML stays text, and an address leads to the web or is no link. */
import { html } from "../lib/html.js";

const MOST = 50_000;
const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+-]*)/;
const HEAD = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?(.*)$/;
const BETWEEN = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
// Each alternative is bound in length, so that no text takes long to read.
const INLINE = /(`{1,2})([^`\n]{1,1000})\1|\*\*([^*\n]{1,1000})\*\*|__([^_\n]{1,1000})__|\*([^*\s][^*\n]{0,1000})\*|\b_([^_\s][^_\n]{0,1000})_\b|~~([^~\n]{1,1000})~~|!?\[([^\]\n]{0,500})\]\(([^)\s]{1,2000})(?:\s+"[^"\n]{0,300}")?\)|(https?:\/\/[^\s<>"')\]]{1,2000})/;

/** @param {{text: string, level?: number}} props `level` is that of its first headings */
export function Markdown({ text, level = 3 }) {
  return html`<div class="prose" dir="auto">${blocks(text.slice(0, MOST).replaceAll("\t", "    ").split(/\r?\n/), level)}
    ${text.length > MOST && html`<p class="quiet">The first ${MOST.toLocaleString("en")} characters.</p>`}</div>`;
}

/** Give the elements of some lines. */
function blocks(/** @type {string[]} */ lines, /** @type {number} */ level, deep = 0) {
  /** @type {any[]} */
  const found = [];
  let at = 0;
  /** Take the lines from here on that fit. */
  const take = (/** @type {(line: string, index: number) => boolean} */ fits) => {
    const begin = at;
    while (at < lines.length && fits(lines[at] ?? "", at)) at++;
    return lines.slice(begin, at);
  };
  while (at < lines.length) {
    const line = lines[at] ?? "", here = at;
    const fence = FENCE.exec(line), head = HEAD.exec(line);
    if (!line.trim()) at++;
    else if (fence) {
      at++;
      const end = (fence[1] ?? "").slice(0, 3);
      const code = take((one) => !one.trimStart().startsWith(end));
      at++;
      found.push(html`<pre tabindex="0"><code>${code.join("\n")}</code></pre>`);
    } else if (head) {
      at++;
      found.push(html`<${`h${Math.min(6, level - 1 + (head[1]?.length ?? 1))}`}>${inline(head[2] ?? "")}<//>`);
    } else if (RULE.test(line)) {
      at++;
      found.push(html`<hr />`);
    } else if (QUOTE.test(line) && deep < 5) found.push(html`<blockquote>${blocks(take((one) => QUOTE.test(one)).map((one) => QUOTE.exec(one)?.[1] ?? ""), level, deep + 1)}</blockquote>`);
    else if (line.includes("|") && BETWEEN.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-")) found.push(table(take((one) => one.includes("|"))));
    else if (ITEM.test(line) && deep < 5) found.push(list(take((one, index) => ITEM.test(one) || (/^\s+\S/.test(one) || (!one.trim() && /^\s+\S/.test(lines[index + 1] ?? "")))), level, deep));
    else found.push(paragraph(take((one, index) => index === here || begins(one))));
  }
  return found;

  function begins(/** @type {string} */ one) {
    return one.trim() !== "" && !FENCE.test(one) && !HEAD.test(one) && !RULE.test(one) && !QUOTE.test(one) && !ITEM.test(one);
  }
}

function paragraph(/** @type {string[]} */ lines) {
  return html`<p>${lines.map((line, at) => [at > 0 && (/ {2}$/.test(lines[at - 1] ?? "") ? html`<br />` : " "), inline(line.trim())])}</p>`;
}

/** Lines of a list: an item, and what is deeper than it. */
function list(/** @type {string[]} */ lines, /** @type {number} */ level, /** @type {number} */ deep) {
  const first = ITEM.exec(lines[0] ?? "");
  const indent = first?.[1]?.length ?? 0;
  /** @type {string[][]} */
  const items = [];
  for (const line of lines) {
    const found = ITEM.exec(line);
    if (found && (found[1]?.length ?? 0) <= indent + 1) items.push([found[3] ?? ""]);
    else items.at(-1)?.push(line.slice(Math.min(indent + 2, /\S|$/.exec(line)?.index ?? 0)));
  }
  const shown = items.map((item) => html`<li>${item.length > 1 ? [inline(item[0] ?? ""), blocks(item.slice(1), level, deep + 1)] : inline(item[0] ?? "")}</li>`);
  return first?.[2] ? html`<ol start=${first[2]}>${shown}</ol>` : html`<ul>${shown}</ul>`;
}

function table(/** @type {string[]} */ lines) {
  const rows = lines.map((line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => inline(cell.trim().replaceAll("\\|", "|"))));
  return html`<div class="scroll" tabindex="0"><table class="rows"><thead><tr>${rows[0]?.map((cell) => html`<th>${cell}</th>`)}</tr></thead>
    <tbody>${rows.slice(2).map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** Give the parts of a line: text, and elements of what is marked in it. */
function inline(/** @type {string} */ text, deep = 0) {
  /** @type {any[]} */
  const found = [];
  let rest = text;
  for (let match = INLINE.exec(rest); match; match = INLINE.exec(rest)) {
    const [whole, , code, strong, strong2, soft, soft2, gone, words, address, plain] = match;
    found.push(rest.slice(0, match.index));
    const inner = (/** @type {string} */ one) => (deep < 5 ? inline(one, deep + 1) : one);
    if (code !== undefined) found.push(html`<code>${code}</code>`);
    else if (strong ?? strong2) found.push(html`<strong>${inner(strong ?? strong2 ?? "")}</strong>`);
    else if (soft ?? soft2) found.push(html`<em>${inner(soft ?? soft2 ?? "")}</em>`);
    else if (gone) found.push(html`<s>${inner(gone)}</s>`);
    else found.push(link(plain ?? address ?? "", words || plain || address || "", whole));
    rest = rest.slice(match.index + whole.length);
  }
  found.push(rest);
  return found;
}

function link(/** @type {string} */ address, /** @type {string} */ words, /** @type {string} */ whole) {
  return /^(https?:\/\/|mailto:)/i.test(address) ? html`<a href=${address} target="_blank" rel="noreferrer noopener">${words}</a>` : whole;
}
