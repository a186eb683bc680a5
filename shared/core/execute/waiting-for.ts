import type { InitContainerObservation } from '../model/hook.ts';
import { FOREVER, formatInstant } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import { lastSeen } from './pod-life.ts';
import type { PodRun } from './state.ts';
import { hookAt, stateOf } from './state.ts';

/** What a waiting hook waits for: for people (R7.9). */
export function waitingFor(maxConcurrent: number, pod: PodRun, at: HookPosition): string {
  const hook = hookAt(pod, at);
  if (pod.life.is === 'creating') return 'its pod to be created';
  const observed = lastSeen(pod.life);
  if (observed === undefined) return 'the pod';
  if (hook.kind === 'init') return initContainerText(hook.container, observed.initContainers?.[hook.container]);
  if (stateOf(pod, at).phase === 'Recording') return 'the journal to record that it starts';
  const beside = pod.open.firstBeside(at) ?? at;
  const ahead = Math.min(...pod.open.active, beside < at ? beside : Number.POSITIVE_INFINITY);
  if (ahead !== at && ahead < pod.hooks.length) return `hook ${hookAt(pod, ahead as HookPosition).id}`;
  const state = stateOf(pod, at);
  if (state.phase === 'Waiting' && state.why !== undefined) return `another try: ${state.why}`; // R7.31
  const container = observed.containers[hook.container];
  const reason = container?.reason ? ` (${container.reason})` : '';
  if (!container?.running) return `container ${hook.container} to run${reason}`;
  if (hook.waitForReady && !container.ready) return `container ${hook.container} to be ready${reason}`;
  const slot = `one of ${maxConcurrent} slots`;
  if (pod.quietUntil === undefined) return slot;
  const until = pod.quietUntil === FOREVER ? 'for ever' : `until ${formatInstant(pod.quietUntil)}`;
  return `${slot}, and for a command whose end nobody saw, which may run ${until}`; // R4.5
}

function initContainerText(name: string, observed: InitContainerObservation | undefined): string {
  const { reason, exitCode, restarts = 0 } = observed ?? {};
  const details = [
    ...(reason === undefined ? [] : [reason]),
    ...(exitCode === undefined ? [] : [`exit code ${exitCode}`]),
    ...(restarts === 0 ? [] : [restarts === 1 ? '1 restart' : `${restarts} restarts`]),
  ];
  return `init container ${name} to end${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
}
