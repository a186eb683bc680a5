import { sanitizeLine, sanitizeText } from '../../shared/core/sanitize.ts';

/** Text that is HTML or XML already. Only {@link markup} makes it, so that no text from outside is taken for it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | number | undefined | Markup | readonly Markup[];

/**
 * HTML or XML as a template: every value is text, in an element or between the quotes of an attribute, unless it is
 * markup itself. Pods choose the names and messages that stand here (R7.26).
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  let text = strings[0] ?? '';
  for (const [index, value] of values.entries()) text += written(value) + (strings[index + 1] ?? '');
  return new Markup(text);
}

function written(value: Value): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return joined(value).text;
  return value === undefined ? '' : escaped(cleanLine(String(value)));
}

export const joined = (parts: readonly Markup[], between = ''): Markup =>
  new Markup(parts.map(({ text }) => text).join(between));

/** Text of several lines, for an element. */
export const lines = (text: string): Markup => new Markup(escaped(cleanText(text)));

/** XML 1.0 forbids these two, and halves of surrogate pairs, also as references. HTML calls them errors. */
const NONCHARACTERS = /[\ufffe\uffff]/g;

/** Text from outside, fit for any format: no control characters, no marks that reorder text, nothing XML forbids. */
export const cleanText = (text: string): string => sanitizeText(text).toWellFormed().replace(NONCHARACTERS, '');
export const cleanLine = (text: string): string => sanitizeLine(text).toWellFormed().replace(NONCHARACTERS, '');

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string =>
  /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '') : text;
