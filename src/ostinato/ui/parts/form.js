/** Parameters as fields of a form, made from their JSON schema: filled in, read back, and what is wrong beside them. */
import { useEffect } from "preact/hooks";
import { html } from "../lib/html.js";

/**
 * @typedef {"flag" | "choice" | "number" | "text" | "long" | "secret" | "lines" | "group" | "json"} Kind
 * @typedef {{name: string, path: string, label: string, about: string, type: string, kind: Kind, needed: boolean,
 *   nullable: boolean, initial: any, schema: any, options: any[], inner: Field[]}} Field
 */

/** A field that holds what is no value for it. */
export class Unfit extends Error {
  /** @param {string} path @param {string} reason */
  constructor(path, reason) {
    super(reason);
    this.path = path;
  }
}

const DEEPEST = 3;
const REST = "*";
const EMPTY = /** @type {Record<string, any>} */ ({ text: "", long: "", lines: [] });
const SCALARS = new Set(["string", "integer", "number"]);
const WORDS = /** @type {Record<string, string>} */ ({ integer: "whole number", number: "number", boolean: "yes or no", null: "none" });
const FORMATS = /** @type {Record<string, string>} */ ({ date: "date", "date-time": "date and time", time: "time of day", path: "path", duration: "duration", uuid: "UUID" });

/** Give what a schema comes to without references, and without null among its choices; and whether null was there. */
function plain(/** @type {any} */ schema, /** @type {any} */ defs) {
  let one = schema ?? {};
  let nullable = false;
  for (let turn = 0; turn < 10; turn++) {
    const { $ref, allOf, anyOf, oneOf, ...rest } = one;
    const arms = anyOf ?? oneOf;
    const others = arms?.filter((/** @type {any} */ arm) => arm.type !== "null");
    if (arms) nullable ||= others.length < arms.length;
    if ($ref) one = { ...defs[$ref.replace("#/$defs/", "")], ...rest };
    else if (allOf?.length === 1) one = { ...allOf[0], ...rest };
    else if (others?.length === 1) one = { ...others[0], ...rest };
    else break;
  }
  return { one, nullable };
}

/** Give the schema of an object with named parts, with what it refers to; null when a schema is none. */
export function inner(/** @type {any} */ schema) {
  const { one, nullable } = plain(schema, schema?.$defs);
  return one.properties && !nullable ? { ...one, $defs: schema.$defs } : null;
}

/** Give a schema in words, such as `list of text` or `whole number or none`. */
export function said(/** @type {any} */ schema, /** @type {any} */ defs = {}, deep = 0) {
  const { one, nullable } = plain(schema, defs);
  const more = (/** @type {any} */ inner) => (deep < DEEPEST ? said(inner, defs, deep + 1) : "...");
  const arms = (one.anyOf ?? one.oneOf)?.filter((/** @type {any} */ arm) => arm.type !== "null");
  /** @type {string} */
  const word = one.enum ? `one of ${one.enum.map(optionOf).join(", ")}`
    : arms ? arms.map(more).join(" or ")
    : one.type === "array" ? (one.items ? `list of ${more(one.items)}` : "list")
    : one.type === "string" ? (one.writeOnly ? "secret" : FORMATS[one.format] ?? "text")
    : one.type === "object" ? "object" : WORDS[one.type] ?? "any value";
  return nullable ? `${word} or none` : word;
}

function optionOf(/** @type {any} */ value) {
  return value === null ? "none" : typeof value === "string" ? value : JSON.stringify(value);
}

/** Give the kind of field that a value of this schema is written into. */
function kindOf(/** @type {any} */ one, /** @type {boolean} */ nullable, /** @type {any} */ initial, /** @type {number} */ deep) {
  if (one.writeOnly || one.format === "password") return "secret";
  if (one.enum || "const" in one) return "choice";
  if (one.type === "boolean") return nullable ? "choice" : "flag";
  if (one.type === "integer" || one.type === "number") return "number";
  if (one.type === "string") return String(initial ?? "").length > 60 || /\n/.test(initial ?? "") ? "long" : "text";
  if (one.type === "array" && SCALARS.has(one.items?.type) && !one.items.enum && !/\\n/.test(JSON.stringify(initial ?? ""))) return "lines";
  if (one.type === "object" && one.properties && !nullable && deep < DEEPEST) return "group";
  return "json";
}

/**
 * Give the fields of parameters: `values` are those that stand already, in place of defaults.
 * @param {any} schema
 * @param {Record<string, any>} values
 * @returns {Field[]}
 */
export function fieldsOf(schema, values) {
  const defs = schema.$defs ?? {};
  const fields = inside(schema, values, defs, "", 0);
  if (schema.properties && !schema.additionalProperties) return fields;
  const rest = Object.fromEntries(Object.entries(values).filter(([name]) => !(name in (schema.properties ?? {}))));
  return [...fields, {
    name: REST, path: REST, label: fields.length ? "More parameters" : "Parameters", about: "", type: "a JSON object", kind: "json", needed: false,
    nullable: false, initial: Object.keys(rest).length ? rest : undefined, schema: {}, options: [], inner: [],
  }];
}

/** @returns {Field[]} */
function inside(/** @type {any} */ schema, /** @type {any} */ values, /** @type {any} */ defs, /** @type {string} */ above, /** @type {number} */ deep) {
  return Object.entries(schema.properties ?? {}).map(([name, written]) => {
    const { one, nullable } = plain(written, defs);
    const path = above ? `${above}.${name}` : name;
    const initial = name in values ? values[name] : one.default;
    const kind = kindOf(one, nullable, initial, deep);
    const own = one.enum ?? ("const" in one ? [one.const] : [true, false]);
    return {
      name, path, kind, nullable, schema: one, type: said(written, defs), about: one.description ?? "",
      label: name, needed: !!schema.required?.includes(name) && initial === undefined,
      initial: kind === "secret" ? undefined : initial,
      options: kind === "choice" ? (nullable && !own.includes(null) ? [...own, null] : own) : [],
      inner: kind === "group" ? inside(one, initial ?? {}, defs, path, deep + 1) : [],
    };
  });
}

const idOf = (/** @type {string} */ path) => `field-${path}`;
const same = (/** @type {any} */ a, /** @type {any} */ b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * Give the parameters that were written and are not what stands already.
 * @param {Field[]} fields
 * @param {HTMLFormControlsCollection} elements
 * @param {Field[]} [usual] the same fields with what stands already, where they began with something else
 */
export function take(fields, elements, usual = fields) {
  /** @type {Record<string, any>} */
  let taken = {};
  for (const [at, field] of fields.entries()) {
    const value = valueOf(field, elements);
    if (value === undefined || same(value, usual[at]?.initial)) continue;
    taken = field.name === REST ? { ...taken, ...objectOf(value) } : { ...taken, [field.name]: value };
  }
  return taken;
}

function objectOf(/** @type {any} */ value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Unfit(REST, "write an object: {\"name\": value}");
  return value;
}

/** Give what a field holds: what stood there when it is untouched, undefined when nothing was given. @returns {any} */
function valueOf(/** @type {Field} */ field, /** @type {HTMLFormControlsCollection} */ elements) {
  const { kind, nullable, initial, needed, options, path, schema } = field;
  if (kind === "group") {
    const found = field.inner.map((one) => [one.name, valueOf(one, elements)]).filter(([, value]) => value !== undefined);
    return found.length || needed ? { ...initial, ...Object.fromEntries(found) } : undefined;
  }
  const input = /** @type {any} */ (elements.namedItem(idOf(path)));
  const text = /** @type {string} */ (input.value);
  if (kind === "flag") return input.checked || initial !== undefined || needed ? input.checked : undefined;
  if (kind === "choice") return text === "" ? undefined : options[Number(text)];
  if (text === input.defaultValue) return initial;
  if (!text.trim() && kind !== "secret") return nullable ? null : EMPTY[kind];
  if (kind === "text" || kind === "long" || kind === "secret") return text;
  if (kind === "number") return numberOf(text, path, schema.type);
  if (kind === "lines") return linesOf(text, field);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Unfit(path, `it is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function linesOf(/** @type {string} */ text, /** @type {Field} */ field) {
  const { type } = field.schema.items;
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return type === "string" ? lines : lines.map((line) => numberOf(line, field.path, type));
}

function numberOf(/** @type {string} */ text, /** @type {string} */ path, /** @type {string} */ type) {
  const value = Number(text);
  if (!Number.isFinite(value) || (type === "integer" && !Number.isInteger(value))) throw new Unfit(path, `${text} is no ${WORDS[type]}`);
  if (type === "integer" && !Number.isSafeInteger(value)) throw new Unfit(path, "a browser cannot hold so large a number: use the command line");
  return value;
}

/**
 * Give the field that a refusal of the server is about, null when it names none.
 * @param {any} problem
 * @param {Field[]} fields
 * @returns {{path: string, message: string} | null}
 */
export function placeOf(problem, fields) {
  if (problem?.code !== "parameters-misfit") return null;
  const reason = String(problem.values?.reason ?? "");
  const missing = /^(?:(\S+): )?it needs the parameter '(.+)'$/.exec(reason);
  const place = missing ? [missing[1], missing[2]].filter(Boolean).join(".") : (/^(\S+): /.exec(reason)?.[1] ?? "");
  const fitting = below(fields).filter((one) => place === one.path || place.startsWith(`${one.path}.`));
  const nearest = fitting.sort((a, b) => b.path.length - a.path.length)[0];
  return nearest ? { path: nearest.path, message: missing ? "it is needed" : reason } : null;
}

/** Give fields with those inside them. @returns {Field[]} */
function below(/** @type {Field[]} */ fields) {
  return fields.flatMap((one) => [one, ...below(one.inner)]);
}

/** @param {{fields: Field[], wrong: {path: string, message: string} | null}} props */
export function Fields({ fields, wrong }) {
  useEffect(() => {
    if (wrong) document.getElementById(idOf(wrong.path))?.focus();
  }, [wrong]);
  return html`<div class="fields">${fields.map((field) => html`<${Entry} key=${field.path} field=${field} wrong=${wrong} />`)}</div>`;
}

/** @param {{field: Field, wrong: {path: string, message: string} | null}} props */
function Entry({ field, wrong }) {
  const { path, kind, label, about, type, needed } = field;
  const id = idOf(path);
  const bad = wrong?.path === path;
  const described = [about && `${id}-about`, bad && `${id}-wrong`].filter(Boolean).join(" ") || undefined;
  const told = { id, "aria-invalid": bad || undefined, "aria-describedby": described };
  const words = html`<span class="quiet">${type}${needed && html`, <b>needed</b>`}</span>`;
  const below = html`${about && html`<p id=${`${id}-about`} class="quiet" dir="auto">${about}</p>`}${bad && html`<p id=${`${id}-wrong`} class="bad-text" role="alert">${wrong?.message}</p>`}`;
  if (kind === "group") {
    return html`<fieldset id=${id} aria-describedby=${described} tabindex="-1"><legend>${label} ${words}</legend>${below}
      <${Fields} fields=${field.inner} wrong=${wrong} /></fieldset>`;
  }
  if (kind === "flag") {
    return html`<div class="field"><label class="check"><input type="checkbox" ...${told} defaultChecked=${!!field.initial} /> <span>${label}</span></label>${below}</div>`;
  }
  return html`<div class="field"><label for=${id}>${label} ${words}</label><${Input} field=${field} told=${told} />${below}</div>`;
}

/** @param {{field: Field, told: any}} props */
function Input({ field, told }) {
  const { kind, initial, needed, schema, options } = field;
  const rest = { ...told, required: needed };
  if (kind === "choice") {
    const at = options.findIndex((one) => same(one, initial));
    return html`<select ...${rest}>${at < 0 && html`<option value="" selected>${needed ? "choose" : "as the flow has it"}</option>`}
      ${options.map((one, index) => html`<option key=${index} value=${index} selected=${index === at}>${optionOf(one)}</option>`)}</select>`;
  }
  if (kind === "lines") return html`<textarea ...${rest} dir="auto" rows="3" placeholder="one a line" defaultValue=${(initial ?? []).join("\n")} />`;
  if (kind === "long") return html`<textarea ...${rest} dir="auto" rows="4" defaultValue=${initial ?? ""} />`;
  if (kind === "json") return html`<textarea ...${rest} class="mono" spellcheck=${false} rows="4" placeholder="JSON" defaultValue=${initial === undefined ? "" : JSON.stringify(initial, null, 2)} />`;
  if (kind === "secret") return html`<input ...${rest} type="password" autocomplete="new-password" />`;
  if (kind === "number") {
    return html`<input ...${rest} type="number" step=${schema.type === "integer" ? "1" : "any"} min=${schema.minimum} max=${schema.maximum} defaultValue=${initial ?? ""} />`;
  }
  return html`<input ...${rest} type=${schema.format === "date" ? "date" : "text"} dir="auto" autocomplete="off" maxlength=${schema.maxLength}
    placeholder=${schema.format === "date-time" ? "2026-01-31T10:00+01:00" : undefined} defaultValue=${initial ?? ""} />`;
}
