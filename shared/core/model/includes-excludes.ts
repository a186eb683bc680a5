import { compileGlob, isLiteral } from './glob.ts';

export interface IncludesExcludes {
  /** Included by name, by pattern, or because no includes are given; and not excluded. */
  readonly admits: (name: string) => boolean;
  /** Patterns that Velero's library refuses. */
  readonly badPatterns: readonly string[];
}

/** Compile lists of included and excluded names with Velero's meaning. */
export function compileIncludesExcludes(includes: readonly string[], excludes: readonly string[]): IncludesExcludes {
  const included = compileNames(includes);
  const excluded = compileNames(excludes);
  return {
    admits: (name) => !excluded.matches(name) && (includes.length === 0 || included.matches(name)),
    badPatterns: [...included.badPatterns, ...excluded.badPatterns],
  };
}

interface Names {
  readonly matches: (name: string) => boolean;
  readonly badPatterns: readonly string[];
}

/** The filters of a Restore are asked for each pod of a backup: each list is compiled once. */
const compiled = new WeakMap<readonly string[], Names>();

function compileNames(patterns: readonly string[]): Names {
  const known = compiled.get(patterns);
  if (known !== undefined) return known;
  const names = new Set<string>();
  const globs: ((name: string) => boolean)[] = [];
  const badPatterns: string[] = [];
  // Velero tries them in this order, and gives up at one that it can't compile.
  for (const pattern of [...new Set(patterns)].sort()) {
    const glob = compileGlob(pattern);
    if (glob === undefined) badPatterns.push(pattern);
    else if (badPatterns.length > 0) continue;
    else if (isLiteral(pattern)) names.add(pattern);
    else globs.push(glob);
  }
  const result = { matches: (name: string) => names.has(name) || globs.some((matches) => matches(name)), badPatterns };
  compiled.set(patterns, result);
  return result;
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
