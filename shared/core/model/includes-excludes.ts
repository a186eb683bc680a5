import { compileGlob, isLiteral } from './glob.ts';

export interface IncludesExcludes {
  /** Included by name, by pattern, or because no includes are given; and not excluded. */
  readonly admits: (name: string) => boolean;
  /** What decides about the name. */
  readonly verdict: (name: string) => ListVerdict;
  /** Patterns that Velero's library refuses. */
  readonly badPatterns: readonly string[];
}

/** `excluded`, `included`: by this pattern. `not-included`: by none of the includes. `unlimited`: no list names it. */
export type ListVerdict =
  | { readonly is: 'excluded' | 'included'; readonly pattern: string }
  | { readonly is: 'not-included' | 'unlimited' };

/** Compile lists of included and excluded names with Velero's meaning. */
export function compileIncludesExcludes(includes: readonly string[], excludes: readonly string[]): IncludesExcludes {
  const included = compileNames(includes);
  const excluded = compileNames(excludes);
  const verdict = (name: string): ListVerdict => {
    const against = excluded.match(name);
    if (against !== undefined) return { is: 'excluded', pattern: against };
    if (includes.length === 0) return { is: 'unlimited' };
    const pattern = included.match(name);
    return pattern === undefined ? { is: 'not-included' } : { is: 'included', pattern };
  };
  return {
    admits: (name) => isAdmitted(verdict(name)),
    verdict,
    badPatterns: [...included.badPatterns, ...excluded.badPatterns],
  };
}

export const isAdmitted = ({ is }: ListVerdict): boolean => is === 'included' || is === 'unlimited';

interface Names {
  /** The pattern that matches. */
  readonly match: (name: string) => string | undefined;
  readonly badPatterns: readonly string[];
}

/** The filters of a Restore are asked for each pod of a backup: each list is compiled once. */
const compiled = new WeakMap<readonly string[], Names>();

function compileNames(patterns: readonly string[]): Names {
  const known = compiled.get(patterns);
  if (known !== undefined) return known;
  const names = new Set<string>();
  const globs: { readonly pattern: string; readonly matches: (name: string) => boolean }[] = [];
  const badPatterns: string[] = [];
  // Velero tries them in this order, and gives up at one that it can't compile.
  for (const pattern of [...new Set(patterns)].sort()) {
    const glob = compileGlob(pattern);
    if (glob === undefined) badPatterns.push(pattern);
    else if (badPatterns.length > 0) continue;
    else if (isLiteral(pattern)) names.add(pattern);
    else globs.push({ pattern, matches: glob });
  }
  const match = (name: string) => (names.has(name) ? name : globs.find(({ matches }) => matches(name))?.pattern);
  const result = { match, badPatterns };
  compiled.set(patterns, result);
  return result;
}

/**
 * The same for resource names, of which only pods matter here: `po`, `pod`, `Pods` name them as in kubectl, and an
 * excluded `*` is ignored, as Velero does.
 */
export const admitsPods = (includes: readonly string[], excludes: readonly string[]): boolean =>
  isAdmitted(verdictOnPods(includes, excludes));

/** What decides whether pods are admitted, with the pattern as it is read: `pods` for `po`. */
export const verdictOnPods = (includes: readonly string[], excludes: readonly string[]): ListVerdict =>
  compileIncludesExcludes(
    includes.map(resourceName).filter((name) => name !== ''),
    excludes.map(resourceName).filter((name) => name !== '' && name !== '*'),
  ).verdict('pods');

const POD_NAMES = new Set(['po', 'pod', 'pods']);

function resourceName(item: string): string {
  const name = item.toLowerCase().replace(/\.$/, '');
  return POD_NAMES.has(name) ? 'pods' : item;
}
