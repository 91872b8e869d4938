/** Files of a tracking run: a list, and what is in one. Nothing of them runs in this page. */
import { useEffect, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { useMore } from "../lib/pages.js";
import { bytes } from "../lib/values.js";
import { More } from "./more.js";

const TEXT = /\.(txt|md|csv|tsv|json|jsonl|ya?ml|toml|ini|cfg|log|py|sql|html?|svg|xml)$|(^|\/)(MLmodel|requirements[^/]*)$/i;
const IMAGE = /\.(png|jpe?g|gif|webp)$/i;
const MOST_BYTES = 4 << 20;
const MOST_CHARS = 50_000;

/** @param {{files: any[], more: boolean, run: string}} props */
export function Files({ files: first, more, run }) {
  const pages = useMore(`api/tracking-runs/${run}/files?limit=200`, { items: first, next: more ? first.at(-1)?.path : null }, "path");
  const [shown, setShown] = useState("");
  return html`<div class="scroll"><table class="rows" aria-label="Files"><thead><tr><th>Path</th><th class="number">Size</th><th class="number">Actions</th></tr></thead>
      <tbody>${pages.items.map((one) => html`<tr key=${one.path}><td dir="auto" title=${one.path}>${one.path}</td><td class="number">${bytes(one.size_bytes)}</td>
        <td class="actions">${(TEXT.test(one.path) || IMAGE.test(one.path)) && one.size_bytes <= MOST_BYTES && html`<button aria-expanded=${shown === one.path} onClick=${() => setShown(shown === one.path ? "" : one.path)}>Look</button>`}
          <a class="button" href=${`api/blobs/${one.digest}`} download=${one.path.split("/").at(-1)}>Download</a></td></tr>
        ${shown === one.path && html`<tr key=${`${one.path}:`}><td colspan="3" class="wrap"><${Look} file=${one} /></td></tr>`}`)}</tbody></table></div>
    <${More} list=${pages} words="Show more files" />`;
}

/** @param {{file: any}} props */
function Look({ file }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const address = `api/blobs/${file.digest}`;
  const isImage = IMAGE.test(file.path);
  useEffect(() => {
    if (isImage) return;
    void fetch(new URL(address, document.baseURI), { credentials: "same-origin" }).then(
      async (answer) => setText(answer.ok ? await answer.text() : "It is not there any more."),
      () => setText("The server does not answer."),
    );
  }, [address]);
  if (isImage) return html`<div class="artifact"><img src=${address} alt=${file.path} /></div>`;
  if (text === null) return html`<p class="quiet" role="status">Loading</p>`;
  return html`<pre class="trace" tabindex="0" aria-label=${file.path} dir="auto">${text.slice(0, MOST_CHARS)}</pre>
    ${text.length > MOST_CHARS && html`<p class="quiet">The first ${MOST_CHARS.toLocaleString("en")} letters. Download it for the rest.</p>`}`;
}
