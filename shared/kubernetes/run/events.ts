import { RestoreHooksError } from '../../core/errors.ts';
import { formatInstant } from '../../core/model/instant.ts';
import { runLabels, runName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import { endedEvent } from '../../core/report/run-event.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import type { Clock, EventWriter } from '../../ports/ports.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { createOnce } from './run-store.ts';

const COMPONENT = 'restorehooks';

/** Write the event of a run that ended without any runner. Who may not write it leaves it out (R5.24). */
export function writeEndedEvent(
  client: Pick<KubeClient, 'create'>,
  clock: Pick<Clock, 'now'>,
  restore: RestoreReference,
  status: RunStatus,
): Promise<void> {
  const writer = kubernetesEventWriter(client, clock, restore, status.runID);
  return new Promise((resolve) => writer.write(endedEvent(status), () => resolve())); // R7.86
}

/**
 * Writes a run's events on its Restore, as core/v1 Events: `kubectl describe` and `kubectl get events` read these, and
 * the API server serves them as events.k8s.io/v1 too. Names are fixed, so that no event is written twice.
 */
export const kubernetesEventWriter = (
  client: Pick<KubeClient, 'create'>,
  clock: Pick<Clock, 'now'>,
  { namespace, name, uid }: RestoreReference,
  runID: string,
): EventWriter => ({
  write({ id, type, reason, message }, written) {
    const now = formatInstant(clock.now());
    const object = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${runName(name, runID)}.${id}`, namespace, labels: runLabels(name, runID) },
      involvedObject: { apiVersion: 'velero.io/v1', kind: 'Restore', namespace, name, ...(uid && { uid }) },
      type,
      reason,
      message,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
    };
    void createOnce(client, paths.events(namespace), object).then(
      () => written(),
      (error: unknown) => {
        if (!(error instanceof RestoreHooksError)) throw error;
        written(error);
      },
    );
  },
});
