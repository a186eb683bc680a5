import type { Command, Positionals } from './command.ts';

/** What it is called on the command line. */
export const PROGRAM = 'kubectl restorehooks';

/** `kubectl restorehooks plan RESTORE [flags]` */
export function usageOf(name: string, { positionals }: Pick<Command, 'positionals'>): string {
  return [PROGRAM, name, ...positionalUsage(positionals), '[flags]'].join(' ');
}

function positionalUsage(positionals: Positionals): string[] {
  return Object.entries(positionals).map(([key, { optional, many }]) => {
    const name = `${key.toUpperCase()}${many ? '...' : ''}`;
    return optional ? `[${name}]` : name;
  });
}
