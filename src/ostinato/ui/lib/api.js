/** Requests to the server: JSON in, JSON out, errors with code and hint. */

import { signal } from "@preact/signals";

/** Whether the server does not know who we are. */
export const isStranger = signal(false);

/** An error as the server tells it (problem+json), or of the way there. */
export class Problem extends Error {
  /** @param {{code: string, title?: string, detail?: string, hint?: string, status?: number, values?: Record<string, any>}} told */
  constructor(told) {
    super(told.detail || told.title || told.code);
    this.code = told.code;
    this.hint = told.hint || "";
    this.status = told.status || 0;
    this.values = told.values ?? {};
  }
}

/**
 * Give the answer to a request.
 * @param {string} path below the base of the page, such as `api/ui/home`
 * @param {{method?: string, body?: unknown, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export async function ask(path, options = {}) {
  const { method = "GET", body, signal } = options;
  let answer;
  try {
    answer = await fetch(new URL(path, document.baseURI), {
      method,
      signal,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new Problem({ code: "server-unreachable", detail: "The server does not answer.", hint: "Is `ostinato up` running?" });
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  if (answer.status === 401 && path !== "api/session") isStranger.value = true;
  const told = await answer.json().catch(() => ({}));
  throw new Problem({ code: "unknown", detail: answer.statusText, ...told, status: answer.status });
}

/**
 * Give a path with a query, without what is empty; its type stays that of the path, which says what it answers.
 * @template {string} P
 * @param {P} path
 * @param {Record<string, string | number | undefined>} values
 */
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== "") query.set(name, String(value));
  const text = query.toString();
  return /** @type {P} */ (text ? `${path}?${text}` : path);
}
