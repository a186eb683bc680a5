import { kubernetesHookExec as realExec } from '../../shared/kubernetes/exec/exec.ts';
import type { HookExec } from '../../shared/ports/ports.ts';
import { aroundCall } from './failpoints.ts';

/** Takes the place of `shared/kubernetes/exec/exec.ts` in the runner of the chaos tests. */
export function kubernetesHookExec(...args: Parameters<typeof realExec>): HookExec {
  const exec = realExec(...args);
  return {
    start(request, answer) {
      let drop = (): void => undefined;
      aroundCall('command-start', () => {
        drop = exec.start(request, {
          ...answer,
          started: () => aroundCall('command-started', () => answer.started()),
          ended: (...end) => aroundCall('command-end', () => answer.ended(...end)),
        });
      });
      return () => drop();
    },
  };
}
