import type { ExecOutcome, Hook, HookResult } from '../model/hook.ts';
import { timeoutText } from './timeout-text.ts';

/**
 * What the answer to an exec request makes of its hook (R4.1); undefined where it provably was not started and
 * is tried again. `replaced`: another pod has been seen under the pod's name meanwhile; `running`: it had started;
 * `late`: its wait deadline has passed.
 */
export function hookOutcome(
  outcome: ExecOutcome,
  hook: Hook,
  { replaced, running, late }: { replaced: boolean; running: boolean; late: boolean },
): HookResult | undefined {
  switch (outcome.kind) {
    case 'exited':
      if (replaced) return REPLACED_MEANWHILE; // R3.28
      if (outcome.exitCode !== 0) return { state: 'Failed', reason: 'exit', exitCode: outcome.exitCode };
      return { state: 'Succeeded', exitCode: 0, ...(outcome.unproven && { unproven: true }) }; // R4.2
    case 'error':
      return { state: 'Failed', reason: 'error', message: outcome.message }; // R4.15
    case 'podDeleted':
      return { state: 'NotExecuted', reason: 'pod-deleted' }; // R4.9
    case 'podReplaced':
      return { state: 'NotExecuted', reason: 'pod-replaced' };
    case 'podChanged':
      return REPLACED_MEANWHILE;
    case 'noSuchContainer':
      return { state: 'NotExecuted', reason: 'no-such-container' }; // R4.11
    case 'containerRestarted': // R3.82
      return { state: 'Failed', reason: 'container-restarted', message: 'its container was restarted, which ended it' };
    case 'podGone':
      return { state: 'Unknown', reason: 'pod-deleted', message: 'its pod was deleted while the command ran' };
    case 'forbidden':
    case 'noWebSocket':
      // Nobody may ask any more how a detached command goes on (R4.6).
      return running
        ? { ...CONNECTION_LOST, message: outcome.message }
        : { state: 'NotExecuted', reason: 'aborted', message: outcome.message };
    case 'connectionLost':
      return { state: 'Unknown', reason: 'connection-lost', message: outcome.message }; // R4.4, R4.17
    case 'notStarted':
      if (running) return { state: 'Unknown', reason: 'connection-lost', message: outcome.why };
      if (!late) return undefined;
      return {
        state: 'TimedOut',
        reason: 'waiting',
        message: `${timeoutText(hook, 'waitTimeout')}: it waited for another try: ${outcome.why}`,
      }; // R4.8
  }
}

const CONNECTION_LOST = { state: 'Unknown', reason: 'connection-lost' } as const;

const REPLACED_MEANWHILE: HookResult = {
  state: 'Unknown',
  reason: 'pod-replaced',
  message: 'the pod was replaced while the command ran',
};
