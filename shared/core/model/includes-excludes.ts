import { compileGlob } from './glob.ts';

export interface IncludesExcludes {
  /** Included by name, by pattern, or because no includes are given; and not excluded. */
  readonly admits: (name: string) => boolean;
  /** Patterns that can't be parsed; they match nothing. */
  readonly badPatterns: readonly string[];
}

/** Compile lists of included and excluded names with Velero's meaning. */
export function compileIncludesExcludes(includes: readonly string[], excludes: readonly string[]): IncludesExcludes {
  const badPatterns: string[] = [];
  const included = matcher(includes, badPatterns);
  const excluded = matcher(excludes, badPatterns);
  return { admits: (name) => !excluded(name) && (includes.length === 0 || included(name)), badPatterns };
}

function matcher(patterns: readonly string[], badPatterns: string[]): (name: string) => boolean {
  const globs: ((name: string) => boolean)[] = [];
  for (const pattern of patterns) {
    const glob = compileGlob(pattern);
    if (glob === undefined) badPatterns.push(pattern);
    else globs.push(glob);
  }
  return (name) => globs.some((matches) => matches(name));
}

/**
 * The same for resource names, of which only pods matter here: `po`, `pod`, `Pods` name them as in kubectl, and an
 * excluded `*` is ignored, as Velero does.
 */
export function admitsPods(includes: readonly string[], excludes: readonly string[]): boolean {
  return compileIncludesExcludes(
    includes.map(resourceName).filter((name) => name !== ''),
    excludes.map(resourceName).filter((name) => name !== '' && name !== '*'),
  ).admits('pods');
}

const POD_NAMES = new Set(['po', 'pod', 'pods']);

function resourceName(item: string): string {
  const name = item.toLowerCase().replace(/\.$/, '');
  return POD_NAMES.has(name) ? 'pods' : item;
}
