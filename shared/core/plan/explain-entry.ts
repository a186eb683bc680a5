import { formatDuration } from '../model/duration.ts';
import type { ExecHook, Hook, HookSource } from '../model/hook.ts';
import type { ListVerdict } from '../model/includes-excludes.ts';
import { isAdmitted } from '../model/includes-excludes.ts';
import type { Pod } from '../model/pod.ts';
import type { Check, ValueExplanation } from './explanation-document.ts';
import type { HookEntry } from './hook-entries.ts';
import type { PlannedFrom } from './plan-restore-hooks.ts';

/** What an entry's filters say about a pod, filter by filter. It applies if all of them admit the pod (R3.5, R7.2). */
export function checksOf(entry: HookEntry, { metadata: { namespace, labels } }: Pod): Check[] {
  const { place, requirements } = entry;
  const ofNamespace = { admitting: 'includedNamespaces', barring: 'excludedNamespaces' } as const;
  const ofPods = { admitting: 'includedResources', barring: 'excludedResources' } as const;
  return [
    ...listCheck(entry, entry.verdictOnNamespace(namespace), ofNamespace, namespace),
    ...listCheck(entry, entry.verdictOnPods, ofPods, 'pods'),
    ...requirements.map(({ path, text, key, admits }) => ({
      field: `${place}.labelSelector.${path}`,
      value: text,
      ...(Object.hasOwn(labels, key) && { pod: labels[key] ?? '' }),
      admits: admits(labels),
    })),
  ];
}

type List = 'includedNamespaces' | 'excludedNamespaces' | 'includedResources' | 'excludedResources';

function listCheck(
  { place, spec }: HookEntry,
  verdict: ListVerdict,
  lists: { readonly admitting: List; readonly barring: List },
  pod: string,
): Check[] {
  if (verdict.is === 'unlimited') return [];
  const list = verdict.is === 'excluded' ? lists.barring : lists.admitting;
  const index = 'pattern' in verdict ? spec[list].indexOf(verdict.pattern) : -1;
  const field = `${place}.${list}${index < 0 ? '' : `[${index}]`}`;
  return [{ field, value: spec[list][index] ?? spec[list].join(', '), pod, admits: isAdmitted(verdict) }];
}

const ANNOTATION_KEYS: Readonly<Record<string, string>> = {
  onError: 'on-error',
  execTimeout: 'exec-timeout',
  waitTimeout: 'wait-timeout',
  waitForReady: 'wait-for-ready',
  'retry.attempts': 'retry-attempts',
  'retry.delay': 'retry-delay',
  image: 'container-image',
};

/** The effective values of a planned hook, and where each is written. */
export function valuesOf(planned: PlannedFrom): ValueExplanation[] {
  return Object.entries(effective(planned.hook)).map(([name, value]) => ({
    name,
    ...(value !== undefined && { value }),
    ...originOf(planned, name),
  }));
}

function originOf(
  { hook, place, given, containerAt }: PlannedFrom,
  name: string,
): Pick<ValueExplanation, 'from' | 'field'> {
  const flag = hook.kind === 'exec' ? flagOf(hook, name, given) : undefined;
  if (flag !== undefined) return { from: 'flag', field: flag };
  return given.has(name) ? { from: hook.source, field: fieldOf(hook, name, place, containerAt) } : { from: 'default' };
}

function flagOf({ execTimeoutFrom }: ExecHook, name: string, given: ReadonlySet<string>): string | undefined {
  if (name === 'execTimeout' && execTimeoutFrom === 'flag') return '--max-exec-timeout';
  return name === 'detach' && !given.has(name) ? '--detach' : undefined;
}

function effective(hook: Hook): Record<string, string | undefined> {
  const { container } = hook;
  const waitTimeout = hook.waitTimeoutMs === null ? undefined : formatDuration(hook.waitTimeoutMs);
  if (hook.kind === 'init') return { container, image: hook.image, timeout: waitTimeout };
  const execTimeout = hook.execTimeoutMs === null ? undefined : formatDuration(hook.execTimeoutMs);
  return {
    container,
    onError: hook.onError,
    execTimeout,
    waitTimeout,
    waitForReady: String(hook.waitForReady),
    ...ownValues(hook),
  };
}

/** What only some hooks have (R7.71). */
function ownValues({ wave, retry, runOn, detach }: ExecHook): Record<string, string> {
  return {
    ...(wave !== undefined && { wave: String(wave) }),
    ...(retry && {
      'retry.attempts': String(retry.attempts),
      'retry.delay': formatDuration(retry.delayMs),
      'retry.maxDelay': formatDuration(retry.maxDelayMs),
    }),
    ...(runOn && { runOn }),
    ...(detach && { detach: 'true' }),
  };
}

function fieldOf(
  { kind, source }: { readonly kind: 'exec' | 'init'; readonly source: HookSource },
  name: string,
  place: string,
  containerAt: number | undefined,
): string {
  const isOfContainer = kind === 'init' && name !== 'timeout';
  if (source === 'annotation') {
    return place + (isOfContainer && name === 'container' ? 'container-name' : (ANNOTATION_KEYS[name] ?? name));
  }
  if (name === 'wave' || name === 'runOn') return `${place.replace(/\.postHooks\[\d+\]\.exec$/, '')}.${name}`;
  if (!isOfContainer) return `${place}.${name}`;
  return `${place}.initContainers[${containerAt ?? 0}].${name === 'container' ? 'name' : name}`;
}
