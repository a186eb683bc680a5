import * as z from 'zod';
import { RestoreHooksError } from '../shared/core/errors.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import type { KubeClient } from '../shared/kubernetes/api/client.ts';
import { paths } from '../shared/kubernetes/api/paths.ts';
import { readDefaults } from '../shared/kubernetes/run/defaults.ts';
import type { Logger } from '../shared/system/log.ts';
import type { RunnerConfig } from './config.ts';

const Job = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        serviceAccountName: z.string().nullish(),
        containers: z.array(z.object({ name: z.string(), image: z.string().nullish() })),
      }),
    }),
  }),
});

/**
 * Read the namespace's defaults for a Job that somebody wrote by hand, and that plans for itself: defaults that can't be
 * read stop it as they stop `apply` (R8.24), and where it differs from them the log says so, as nobody else would notice.
 */
export async function compareWithDefaults(
  client: Pick<KubeClient, 'get'>,
  { namespace, 'run-namespace': jobNamespace = namespace }: Pick<RunnerConfig, 'namespace' | 'run-namespace'>,
  runner: RunStatus['runner'],
  log: Logger,
): Promise<void> {
  const defaults = await readDefaults(client, namespace).catch((error: unknown) => {
    const isElsewhere = jobNamespace !== namespace;
    if (!isElsewhere || !(error instanceof RestoreHooksError) || error.code !== 'FORBIDDEN') throw error;
    // There the runner may do nothing but look at Restores and write their status.
    log.info('the defaults of the Restores are not compared with this Job', { reason: error.message });
    return undefined;
  });
  if (defaults === undefined || runner.kind !== 'job') return;
  const parsed = Job.safeParse(await client.get(paths.jobs(jobNamespace, runner.name)));
  if (!parsed.success) return;
  const { containers, serviceAccountName } = parsed.data.spec.template.spec;
  const images = containers.map(({ image }) => image);
  const { image, serviceAccount, runNamespace } = defaults;
  if (runNamespace !== undefined && runNamespace !== jobNamespace) {
    log.warn('this Job is in another namespace than the defaults name', {
      namespace: jobNamespace,
      defaults: runNamespace,
    });
  }
  if (image !== undefined && !images.includes(image)) {
    log.warn('this Job has another image than the defaults name', { images, defaults: image });
  }
  if (serviceAccount !== undefined && serviceAccountName !== serviceAccount) {
    log.warn('this Job has another ServiceAccount than the defaults name', {
      serviceAccount: serviceAccountName,
      defaults: serviceAccount,
    });
  }
}
