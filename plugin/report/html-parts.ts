import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { cutText } from '../../shared/core/sanitize.ts';
import { cleanLine, Markup, markup } from './markup.ts';
import { instantOf, isKept, outcomeOf } from './report.ts';

/** Where a hook's row stands in the page: what names it elsewhere links there. */
export type Anchors = ReadonlyMap<RunHook, string>;

export const anchorsOf = ({ hooks }: RunDocument): Anchors => new Map(hooks.map((row, index) => [row, `h${index}`]));

export const LONGEST_NAME = 100;
export const LONGEST_SENTENCE = 1_000;

/** The beginning of a text, on one line. */
export function cut(text: string, most = LONGEST_NAME): string {
  const line = cleanLine(text);
  return line.length > most ? `${cutText(line, most - 1)}…` : line;
}

/** How many bytes a part of the page may have. */
export class Budget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Whether it still fits; then it is counted. */
  takes({ text }: Markup): boolean {
    const bytes = Buffer.byteLength(text);
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

/** As long as they fit. */
export function fitting<T>(
  items: readonly T[],
  budget: Budget,
  write: (item: T, index: number) => Markup,
): { readonly content: Markup; readonly left: number } {
  const parts: string[] = [];
  for (const [index, item] of items.entries()) {
    const part = write(item, index);
    if (!budget.takes(part)) break;
    parts.push(part.text);
  }
  return { content: new Markup(parts.join('')), left: items.length - parts.length };
}

/** `Failed (exit 3)`; its class says the state to the style, which puts a sign before it. */
export function outcome(run: RunDocument, row: RunHook): Markup {
  const notProven = row.unproven ? ', not proven' : '';
  const kept = isKept(run, row) ? `, kept from run ${row.run}` : '';
  return markup`${outcomeOf(row)}${notProven}${kept}`;
}

/** `2026-01-02 03:04:05 UTC` */
export function moment(text: string): Markup {
  const ms = instantOf(text);
  if (ms === undefined) return markup`${cut(text)}`;
  const exact = new Date(ms).toISOString();
  return markup`<time datetime="${exact}">${exact.slice(0, 19).replace('T', ' ')} UTC</time>`;
}

/** A table that is wider than the page scrolls, also by keyboard. */
export const scrolling = (label: string, table: Markup): Markup =>
  markup`<div class="scroll" role="region" aria-label="${label}" tabindex="0">${table}</div>`;

export const listed = (items: readonly Markup[]): Markup =>
  markup`<ul>${items.map((item) => markup`<li>${item}</li>`)}</ul>`;
