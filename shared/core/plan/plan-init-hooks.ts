import { canonicalJson, sha256Hex } from '../digest.ts';
import type { InitHook, Injection } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import { controllerOf } from '../model/pod.ts';
import { DNS_LABEL } from '../names.ts';
import type { InitContainers } from './annotations.ts';
import { initHookFromAnnotations } from './annotations.ts';
import type { HookEntries, HookEntry } from './hook-entries.ts';
import type { InitContainerPlaces, PlannedInitContainer } from './init-containers.ts';
import { GENERATED_PREFIX, initContainerPlaces, injectInitContainers, withMissing } from './init-containers.ts';
import type { Notice } from './notice.ts';
import type { Candidate, HookKind } from './sources.ts';
import { candidatesOf, decideSources, hidingNotices, noticeOn, takenOf } from './sources.ts';

export interface InitPlan {
  /** In the order in which they run. */
  readonly containers: readonly PlannedInitContainer[];
  /** Which of them the pod has, and where the others belong. */
  readonly places: InitContainerPlaces;
  readonly notices: readonly Notice[];
}

export const INIT_HOOKS: HookKind<InitContainers> = {
  kind: 'init',
  fromAnnotations: initHookFromAnnotations,
  ofEntry: ({ initHooks }) => initHooks,
};

/**
 * Decide which init containers a pod's hooks inject (R2.7, R2.11): `pod` is in its target namespace. That Velero may have
 * run them already is no matter here: `isAllowed` leaves sources out where something is to be started.
 */
export function planInitHooks(
  pod: Pod,
  entries: HookEntries,
  isAllowed: (source: Pick<Candidate<InitContainers>, 'origin'>) => boolean = () => true,
  applying: readonly HookEntry[] = entries.of(pod),
): InitPlan {
  const decisions = decideSources(candidatesOf(pod, entries, applying, INIT_HOOKS).filter(isAllowed), false);
  const notices = hidingNotices(decisions, pod);
  const chosen = takenOf(decisions);
  if (chosen === undefined)
    return { containers: [], places: initContainerPlaces(pod.spec.initContainers, []), notices };
  const containers = chosen.hooks.flatMap((hook) => plannedContainers(pod, chosen, hook));
  const places = initContainerPlaces(pod.spec.initContainers, containers, Boolean(pod.metadata.uid));
  // Names collide with the pod's own containers, not with those that hooks have put there.
  const injected = injectInitContainers(places.own, containers);
  return {
    containers,
    places,
    notices: [...chosen.notices, ...notices, ...changeNotices(pod, places), ...nameNotices(pod, containers, injected)],
  };
}

const changeNotices = (pod: Pod, { found, changed }: InitContainerPlaces): Notice[] =>
  [...changed].map(([planned, fields]) => {
    const { name, index, container } = planned;
    const image = fields.includes('image') ? `; its hook has ${container.image}` : '';
    const message = `init container ${found.get(planned)} of hook ${name} (${index}) was changed after it was injected, by a resource modifier or a webhook (${fields.join(', ')})${image}`;
    return noticeOn(pod, 'image-differs', message);
  });

const plannedContainers = (
  pod: Pod,
  { source, origin }: Candidate<InitContainers>,
  { name, index, place, hook: { containers, timeout } }: Candidate<InitContainers>['hooks'][number],
): PlannedInitContainer[] =>
  containers.map((container, at) => ({
    container: { ...container, name: container.name ?? generatedName(pod) },
    generatedName: container.name === undefined,
    source,
    origin,
    name,
    index,
    place,
    at,
    timeoutMs: timeout !== undefined && timeout > 0 ? timeout : null, // R2.24
  }));

const generatedName = ({ metadata }: Pod): string =>
  GENERATED_PREFIX + sha256Hex(`${metadata.namespace}/${metadata.name}`).slice(0, 8); // R2.2

export interface InitHookOptions {
  /** Leave out what is also Velero's to inject, because Velero has worked on the Restore; what it has injected is watched. */
  readonly withoutVeleros: boolean;
  /** Pods without a controller may be deleted and created anew. */
  readonly recreatePods: boolean;
}

export interface PodInitHook {
  readonly hook: Omit<InitHook, 'id'>;
  /** Its container's in every plan; where Velero made up a name the container bears that (R2.9). */
  readonly name: string;
  readonly planned: PlannedInitContainer;
  /** What is put into the pod for it, and where. */
  readonly missing?: InitContainerPlaces['missing'][number];
}

/** A pod's init hooks as a plan has them: a pod without a UID is still to be created. */
export function initHooksOf(
  pod: Pod,
  entries: HookEntries,
  applying: readonly HookEntry[],
  { withoutVeleros, recreatePods }: InitHookOptions,
  notices: Notice[],
): PodInitHook[] {
  const isVeleros = ({ origin }: Pick<PlannedInitContainer, 'origin'>): boolean => origin === 'velero';
  const veleros = withoutVeleros ? planInitHooks(pod, entries, isVeleros, applying) : undefined;
  for (const { container, name, index } of veleros?.containers ?? []) {
    const isThere = veleros?.places.missing.every((each) => each.container !== container);
    if (isThere) continue;
    const message = `init container ${container.name} of hook ${name} (${index}) is left out: Velero has worked on this Restore`;
    notices.push(noticeOn(pod, 'velero-has-run', message));
  }
  if (veleros !== undefined) notices.push(...changeNotices(pod, veleros.places));
  const {
    containers,
    places,
    notices: own,
  } = planInitHooks(pod, entries, (each) => !(withoutVeleros && isVeleros(each)));
  notices.push(...own);
  const injection = injectionOf(pod, places, recreatePods);
  if (injection === undefined && places.missing.length > 0) notices.push(notInjected(pod, places));
  return [
    ...[...(veleros?.places.found ?? [])].map(([planned, found]) => ({
      hook: initHook(pod, planned, found, 'found'),
      name: planned.container.name,
      planned,
    })),
    ...containers.map((planned) => {
      const found = places.found.get(planned);
      const hook = initHook(pod, planned, found, injection ?? (found === undefined ? undefined : 'found'));
      const missing = injection && places.missing.find(({ container }) => container === planned.container);
      return { hook, name: planned.container.name, planned, ...(missing === undefined ? {} : { missing }) };
    }),
  ];
}

/** How the pod comes to what it lacks; undefined where it lacks nothing, or can't (R2.15, R2.16). */
function injectionOf(pod: Pod, { missing }: InitContainerPlaces, recreatePods: boolean): Injection | undefined {
  if (!pod.metadata.uid) return 'create';
  return missing.length > 0 && recreatePods && controllerOf(pod) === undefined ? 'recreate' : undefined;
}

function notInjected(pod: Pod, { missing }: InitContainerPlaces): Notice {
  const names = missing.map(({ container }) => container.name).join(', ');
  const controller = controllerOf(pod);
  const way =
    controller === undefined
      ? '--recreate-pods deletes the pod and creates it again with them'
      : `inject them into its ${controller.kind} ${controller.name}, or what makes that (kubectl restorehooks inject)`;
  return noticeOn(pod, 'init-container-not-injected', `it exists without init container ${names}; ${way}`);
}

function initHook(
  pod: Pod,
  { container, source, origin, name, index, timeoutMs }: PlannedInitContainer,
  found: string | undefined,
  injection: Injection | undefined,
): Omit<InitHook, 'id'> {
  const { name: ownName, image, command, ...more } = container;
  return {
    kind: 'init',
    namespace: pod.metadata.namespace,
    pod: pod.metadata.name,
    ...(pod.metadata.uid ? { podUID: pod.metadata.uid } : {}),
    container: found ?? ownName,
    source,
    origin,
    name,
    index,
    image,
    ...(command === undefined ? {} : { command }),
    ...(Object.keys(more).length === 0 ? {} : { containerDigest: `sha256:${sha256Hex(canonicalJson(container))}` }),
    waitTimeoutMs: timeoutMs,
    waitTimeoutFrom: timeoutMs === null ? 'default' : source,
    ...(injection === undefined ? { never: 'not-injected' } : { injection }),
  };
}

/** The pod as it stands once what it lacks is in it. */
export const withInjected = (pod: Pod, hooks: readonly PodInitHook[]): Pod => ({
  ...pod,
  spec: {
    ...pod.spec,
    initContainers: withMissing(
      pod.spec.initContainers,
      hooks.flatMap(({ missing }) => missing ?? []),
    ).map((container) => ({ restartPolicy: undefined, ...container })),
  },
});

/** What the API server will refuse the pod for (R2.8). */
function nameNotices(
  pod: Pod,
  planned: readonly PlannedInitContainer[],
  injected: readonly { readonly name: string }[],
): Notice[] {
  const names = new Set(planned.map(({ container }) => container.name));
  const invalid = [...names].filter((name) => !DNS_LABEL.test(name));
  const count = new Map<string, number>();
  for (const { name } of [...injected, ...pod.spec.containers]) count.set(name, (count.get(name) ?? 0) + 1);
  const collisions = [...count].filter(([, times]) => times > 1);
  return [
    ...invalid.map((name) =>
      noticeOn(
        pod,
        'container-name-invalid',
        `${JSON.stringify(name)} is not a valid container name: the API server will refuse the pod`,
      ),
    ),
    ...collisions.map(([name]) =>
      noticeOn(
        pod,
        'init-container-name-collision',
        `with its init hooks it has several containers named ${JSON.stringify(name)}: the API server will refuse the pod`,
      ),
    ),
  ];
}
