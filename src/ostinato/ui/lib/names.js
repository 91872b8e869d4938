/** Names as people read them: of task runs without their keys, and long ones without their middle. */

/** A name that nobody chose: the task, a part of the key, which of its runs. What looks like a date was chosen. */
const MADE = /^(.+)-(?!(?:19|20)\d{6}-)[0-9a-f]{8}-(\d+)$/s;

/** Give the name of a task run as people read it: `load-a8274cc8-0` is `load 1`, one that was chosen stays. */
export const called = (/** @type {string} */ name) => name.replace(MADE, (_, task, number) => `${task} ${Number(number) + 1}`);

/** Give a message with the names that it quotes as people read them. */
export const plain = (/** @type {string} */ message) => message.replace(/'([^']+)'/g, (_, name) => `'${called(name)}'`);

/** Give a text in so many letters at most: what is left out is its middle, since beginning and number tell most. */
export function cut(/** @type {string} */ text, /** @type {number} */ most) {
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(text.length - tail)}`;
}

/** Give the flow and the name of a deployment from its title. */
export function titled(/** @type {string} */ title) {
  const at = title.lastIndexOf("/");
  return { flow: title.slice(0, at), name: title.slice(at + 1) };
}
