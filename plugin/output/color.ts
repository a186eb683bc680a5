import type { Context, TextSink } from '../process/context.ts';
import type { Color } from './view.ts';

const codes: Readonly<Record<Color, number>> = { red: 31, yellow: 33, green: 32, dim: 2 };

/**
 * Colours are used on terminals, unless the user has set NO_COLOR (https://no-color.org). `--color` overrides both
 * (R7.15).
 */
export function usesColor(stream: TextSink, { env, color = 'auto' }: Pick<Context, 'env' | 'color'>): boolean {
  if (color !== 'auto') return color === 'always';
  return stream.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

export const colored = (text: string, color: Color): string => `\x1b[${codes[color]}m${text}\x1b[0m`;
