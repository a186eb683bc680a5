import type { RunHook } from '../../shared/core/report/run-document.ts';
import { sanitizeText } from '../../shared/core/sanitize.ts';

const LAST_LINES = 5;

/**
 * How the output of a hook ended, for whoever is told that it failed: at most `most` lines of stderr, or of stdout where
 * stderr is blank. Each is one line, safe for a terminal; empty where nothing was printed or kept.
 */
export function lastLines(
  { stdout = '', stderr = '' }: Pick<RunHook, 'stdout' | 'stderr'>,
  most = LAST_LINES,
): string[] {
  const text = sanitizeText(stderr.trim() === '' ? stdout : stderr).trimEnd();
  return text === '' ? [] : text.split('\n').slice(-most);
}

/** The command that shows all the output of a hook that was kept, ready for a shell. */
export const logsCommand = (
  restore: { readonly namespace: string; readonly name: string },
  { id }: Pick<RunHook, 'id'>,
): string => `kubectl restorehooks logs ${restore.name} -n ${restore.namespace} --hook ${shellWord(id)}`;

/** A hook's id may hold what a shell would read as its own, as in `<from-annotation>`. */
const shellWord = (text: string): string =>
  /^[\w./%~:@=+,-]+$/.test(text) && !text.startsWith('~') ? text : `'${text.replaceAll("'", "'\\''")}'`;
