import { closest } from '../closest.ts';
import { RestoreHooksError } from '../errors.ts';
import type { Hook } from '../model/hook.ts';

/** What `--only` and `--skip` name. */
export interface Narrowing {
  readonly only: readonly string[];
  readonly skip?: readonly string[] | undefined;
}

export const isNarrowed = ({ only, skip = [] }: Narrowing): boolean => only.length > 0 || skip.length > 0;

/** `of`: whose hooks they are. `list`: the command that lists them. */
interface Whose {
  readonly of: 'plan' | 'run';
  readonly list: string;
}

/**
 * Whether a hook stays (R1.23, R1.41): `--only` names it, or nothing is named, and `--skip` doesn't. Throws for a name that
 * means nothing.
 */
export function narrowedBy(
  { only, skip = [] }: Narrowing,
  hooks: readonly Hook[],
  whose: Whose,
): (hook: Hook) => boolean {
  const names = namesOf(hooks);
  for (const [flag, given] of Object.entries({ only, skip }))
    for (const name of given) refuse(flag, name, names, whose);
  const isNamed = (by: ReadonlySet<string>, { id, namespace, pod, name }: Hook): boolean =>
    by.has(id) || by.has(`${namespace}/${pod}`) || by.has(pod) || (by.has(name) && !names.pods.has(name)); // R1.42
  const [wanted, unwanted] = [new Set(only), new Set(skip)];
  return (hook) => (only.length === 0 || isNamed(wanted, hook)) && !isNamed(unwanted, hook);
}

interface Names {
  readonly ids: ReadonlySet<string>;
  /** As `POD` and as `NAMESPACE/POD`. */
  readonly pods: ReadonlySet<string>;
  readonly hooks: ReadonlySet<string>;
}

const namesOf = (hooks: readonly Hook[]): Names => ({
  ids: new Set(hooks.map(({ id }) => id)),
  pods: new Set(hooks.flatMap(({ namespace, pod }) => [pod, `${namespace}/${pod}`])),
  hooks: new Set(hooks.map(({ name }) => name)),
});

function refuse(flag: string, name: string, { ids, pods, hooks }: Names, { of, list }: Whose): void {
  if (ids.has(name) || pods.has(name) || hooks.has(name)) return;
  const near = closest(name, [...pods, ...hooks, ...ids]);
  throw new RestoreHooksError('INVALID_ARGUMENT', `--${flag} ${name} is no hook and no pod of the ${of}`, {
    hint: `${near === undefined ? '' : `did you mean ${near}? `}list the hooks: ${list}`,
  });
}
