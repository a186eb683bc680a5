import { RestoreHooksError } from '../../core/errors.ts';
import type { ExecRequest } from '../../ports/ports.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { podObservation } from './pod-observation.ts';

/** `over`: the container has ended, or has been started anew. `unknown`: its id is not known, or nobody answered. */
export type ContainerState = 'runs' | 'over' | 'podGone' | 'unknown';

/** Asks whether the container still runs in which a detached command was started. */
export function containerState(
  client: Pick<KubeClient, 'get'>,
): (request: ExecRequest, id: string | undefined) => Promise<ContainerState> {
  return async ({ namespace, pod, podUID, container }, id) => {
    try {
      const found = podObservation(await client.get(paths.pods(namespace, pod)));
      if (found === undefined) return 'unknown';
      if (podUID !== undefined && found.uid !== podUID) return 'podGone';
      const now = found.containers[container];
      if (now?.id === undefined || id === undefined) return 'unknown';
      if (now.running && now.id === id) return 'runs';
      // The containers of a pod that is being deleted end for good.
      return found.isGoing ? 'podGone' : 'over';
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      return error.code === 'NOT_FOUND' ? 'podGone' : 'unknown';
    }
  };
}
