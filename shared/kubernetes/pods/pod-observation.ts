import * as z from 'zod';
import type { ContainerObservation, InitContainerObservation, PodObservation } from '../../core/model/hook.ts';
import { podKey } from '../../core/model/hook.ts';
import type { Instant } from '../../core/model/instant.ts';
import { parseInstant } from '../../core/model/instant.ts';
import { cutText, sanitizeLine } from '../../core/sanitize.ts';

const Waiting = z.object({ reason: z.string().nullish(), message: z.string().nullish() }).nullish();
const Running = z.object({ startedAt: z.string().nullish() }).nullish();
const Terminated = z
  .object({
    reason: z.string().nullish(),
    exitCode: z.number().nullish(),
    signal: z.number().nullish(),
    startedAt: z.string().nullish(),
    finishedAt: z.string().nullish(),
  })
  .nullish();
const ContainerStatus = z.object({
  name: z.string(),
  containerID: z.string().nullish(),
  ready: z.boolean().nullish(),
  started: z.boolean().nullish(),
  restartCount: z.number().nullish(),
  state: z.object({ running: Running, waiting: Waiting, terminated: Terminated }).nullish(),
  lastState: z.object({ terminated: Terminated }).nullish(),
});
type ContainerStatus = z.infer<typeof ContainerStatus>;

const InitContainer = z.object({
  name: z.string(),
  restartPolicy: z.string().nullish(),
  restartPolicyRules: z
    .array(
      z.object({
        action: z.string(),
        exitCodes: z.object({ operator: z.string(), values: z.array(z.number()).nullish() }).nullish(),
      }),
    )
    .nullish(),
});
type InitContainer = z.infer<typeof InitContainer>;

/** Only the fields that are read, because a listing of 10,000 pods is 41 MB. */
const ObservedPod = z.object({
  metadata: z.object({
    namespace: z.string().min(1),
    name: z.string().min(1),
    uid: z.string().min(1),
    deletionTimestamp: z.string().nullish(),
  }),
  spec: z
    .object({
      restartPolicy: z.string().nullish(),
      containers: z.array(z.object({ name: z.string() })).nullish(),
      initContainers: z.array(InitContainer).nullish(),
    })
    .nullish(),
  status: z
    .object({
      phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']).catch('Unknown').default('Pending'),
      containerStatuses: z.array(ContainerStatus).nullish(),
      initContainerStatuses: z.array(ContainerStatus).nullish(),
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string(),
            reason: z.string().nullish(),
            message: z.string().nullish(),
          }),
        )
        .nullish(),
    })
    .default({ phase: 'Pending' }),
});
type ObservedPod = z.infer<typeof ObservedPod>;

/**
 * Read what a run needs to know of a pod; undefined if the object isn't a pod.
 *
 * Its containers are those that hooks can run in (R3.15): native sidecars are, other init containers aren't. A
 * container without a status yet counts as not running, for the reason that holds up the pod.
 */
export function podObservation(raw: unknown): PodObservation | undefined {
  const parsed = ObservedPod.safeParse(raw);
  if (!parsed.success) return undefined;
  const { metadata, spec, status } = parsed.data;
  const sidecars = (spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  const sidecarNames = new Set(sidecars.map(({ name }) => name));
  const statuses = [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses ?? []).filter(({ name }) => sidecarNames.has(name)),
  ];
  const heldUp = reasonHeldUp(parsed.data, sidecarNames);
  const containers: Record<string, ContainerObservation> = {};
  for (const { name } of [...(spec?.containers ?? []), ...sidecars]) {
    containers[name] = { running: false, ready: false, ...heldUp };
  }
  for (const container of statuses) containers[container.name] = containerObservation(container, heldUp);
  return {
    key: podKey(metadata.namespace, metadata.name),
    uid: metadata.uid,
    phase: status.phase,
    ...(metadata.deletionTimestamp && { isGoing: true }),
    containers,
    initContainers: initContainers(parsed.data),
  };
}

function initContainers({ spec, status }: ObservedPod): Record<string, InitContainerObservation> {
  const statuses = new Map(status.initContainerStatuses?.map((each) => [each.name, each]));
  const isPodOver = status.phase === 'Failed' || status.phase === 'Succeeded';
  return Object.fromEntries(
    (spec?.initContainers ?? []).map((container) => {
      const isLastTry = (code: number) => isPodOver || !isTriedAgain(container, spec?.restartPolicy, code);
      return [
        container.name,
        initContainerObservation(statuses.get(container.name), container.restartPolicy === 'Always', isLastTry),
      ];
    }),
  );
}

/**
 * Whether the kubelet restarts a failed init container: by the container's restart rules, else its restart policy
 * (R2.22).
 */
function isTriedAgain(
  { restartPolicy, restartPolicyRules }: InitContainer,
  ofPod: string | null | undefined,
  exitCode: number,
): boolean {
  if (restartPolicy == null) return ofPod !== 'Never';
  const rule = restartPolicyRules?.find(({ exitCodes }) => {
    const isNamed = exitCodes?.values?.includes(exitCode) ?? false;
    return (exitCodes?.operator === 'In' && isNamed) || (exitCodes?.operator === 'NotIn' && !isNamed);
  });
  return rule !== undefined || restartPolicy !== 'Never';
}

function initContainerObservation(
  status: ContainerStatus | undefined,
  isSidecar: boolean,
  isLastTry: (exitCode: number) => boolean,
): InitContainerObservation {
  const { running, waiting, terminated } = status?.state ?? {};
  const end = terminated ?? status?.lastState?.terminated;
  const exitCode = end?.exitCode ?? undefined;
  // A sidecar counts as running only when its startup probe has succeeded.
  const isRunning = running != null && (!isSidecar || status?.started === true);
  const phase = isRunning ? 'running' : terminated != null ? 'terminated' : 'waiting';
  const reason = phase === 'running' ? undefined : (waiting?.reason ?? endReason(end) ?? undefined);
  return {
    phase,
    isOver: terminated != null && (exitCode === 0 || isLastTry(exitCode ?? Number.NaN)),
    isSidecar,
    restarts: status?.restartCount ?? 0,
    ...(reason === undefined || reason === 'PodInitializing' ? {} : { reason }),
    ...(exitCode === undefined || phase === 'running' ? {} : { exitCode }),
    ...timeOf('startedAt', (running ?? terminated)?.startedAt),
    ...timeOf('finishedAt', terminated?.finishedAt),
  };
}

/** How a container ended, besides its exit code; Kubernetes' reason doesn't mention a signal. */
function endReason(end: z.infer<typeof Terminated>): string | undefined {
  if (end == null) return undefined;
  const { reason, signal, exitCode } = end;
  if (reason && reason !== 'Error' && reason !== 'Completed') return reason;
  const number = signal || (exitCode != null && exitCode > 128 && exitCode < 160 ? exitCode - 128 : 0);
  return number === 0 ? undefined : `signal ${number}`;
}

function timeOf<Name extends string>(name: Name, text: string | null | undefined): { readonly [_ in Name]?: Instant } {
  const at = parseInstant(text ?? '');
  return at === undefined ? {} : ({ [name]: at } as { readonly [_ in Name]?: Instant });
}

function containerObservation(
  { containerID, ready, state }: ContainerStatus,
  heldUp: HeldUp | undefined,
): ContainerObservation {
  const own = state?.waiting?.reason || state?.terminated?.reason || undefined;
  const running = state?.running != null;
  const reason = own === undefined || own === 'PodInitializing' ? (heldUp ?? because(own)) : waitsFor(own, state);
  return { ...(containerID && { id: containerID }), running, ready: ready === true, ...(!running && reason) };
}

interface HeldUp {
  readonly reason: string;
  readonly message?: string;
}

const because = (reason: string | undefined): HeldUp | undefined => (reason ? { reason } : undefined);

/** The words for a reason are kept only where they can't quote the container's command. */
const waitsFor = (reason: string, state: ContainerStatus['state']): HeldUp => ({
  reason,
  ...(IMAGE_REASON.test(reason) && words(state?.waiting?.message)),
});

const IMAGE_REASON = /^(ErrImage|ImagePull|InvalidImageName|ImageInspectError)/;
const LONGEST_WORDS = 300;

function words(message: string | null | undefined): { readonly message?: string } {
  // What the scheduler tried after that is of no use to who waits.
  const said = sanitizeLine(message?.split(/,? preemption: /)[0]?.trim() ?? '');
  if (said === '') return {};
  return { message: said.length > LONGEST_WORDS ? `${cutText(said, LONGEST_WORDS)}…` : said };
}

/** Why none of the pod's containers runs yet: it has no node, or an init container holds it up (in kubectl's words). */
function reasonHeldUp({ status }: ObservedPod, sidecars: ReadonlySet<string>): HeldUp | undefined {
  if (status.phase !== 'Pending') return undefined;
  for (const { name, state } of status.initContainerStatuses ?? []) {
    if (sidecars.has(name) && state?.running != null) continue;
    const reason =
      state?.waiting?.reason || (state?.terminated?.reason === 'Completed' ? '' : state?.terminated?.reason);
    if (reason && reason !== 'PodInitializing') return { ...waitsFor(reason, state), reason: `Init:${reason}` };
  }
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status !== 'False' || !scheduled.reason) return undefined;
  return { reason: scheduled.reason, ...words(scheduled.message) };
}
