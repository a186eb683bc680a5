import * as z from 'zod';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import type { KubeClient } from '../shared/kubernetes/api/client.ts';
import { paths } from '../shared/kubernetes/api/paths.ts';
import { readDefaults } from '../shared/kubernetes/run/defaults.ts';
import type { Logger } from '../shared/system/log.ts';

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
  namespace: string,
  runner: RunStatus['runner'],
  log: Logger,
): Promise<void> {
  const defaults = await readDefaults(client, namespace);
  if (defaults === undefined || runner.kind !== 'job') return;
  const parsed = Job.safeParse(await client.get(paths.jobs(namespace, runner.name)));
  if (!parsed.success) return;
  const { containers, serviceAccountName } = parsed.data.spec.template.spec;
  const images = containers.map(({ image }) => image);
  const { image, serviceAccount } = defaults;
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
