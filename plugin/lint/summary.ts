import type { Severity } from '../../shared/core/lint/rules/rule.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { Context } from '../process/context.ts';
import type { LookedAt } from './lint-files.ts';
import { passedOverLines } from './passed-over.ts';
import type { Located } from './source.ts';

export const SEVERITIES = ['error', 'warning', 'info'] as const satisfies readonly Severity[];

/** Tell on stderr how many findings there are, and what could not be read or was passed over. */
export function summarize(
  { found, passed, unreadable, gaps, lookedAt }: LookedAt,
  shown: readonly Located[],
  { stderr }: Context,
): void {
  for (const gap of gaps) stderr.write(`warning: ${sanitizeLine(gap)}\n`);
  for (const { message } of unreadable) stderr.write(`error: ${sanitizeLine(message)}\n`);
  const count = (severity: Severity): string[] => {
    const size = shown.filter(({ rule }) => rule.severity === severity).length;
    return size === 0 ? [] : [severity === 'info' ? `${size} info` : `${size} ${severity}${size === 1 ? '' : 's'}`];
  };
  const nothing = lookedAt === 0 ? 'nothing was linted' : 'nothing found';
  const counts = SEVERITIES.flatMap(count).join(', ') || nothing;
  const fixable = shown.filter(({ splice }) => splice !== undefined).length;
  const hidden = found.length - shown.length;
  const more = [
    ...(fixable > 0 ? [`${fixable} can be mended with --fix`] : []),
    ...(hidden > 0 ? [`${hidden} more with --severity=info`] : []),
  ];
  stderr.write(`${counts}${more.length > 0 ? ` (${more.join('; ')})` : ''}\n`);
  for (const line of passedOverLines(passed)) stderr.write(`${sanitizeLine(line)}\n`);
}
