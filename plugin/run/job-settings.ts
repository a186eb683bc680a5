import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Defaults, JobFlags, JobSettings } from '../../shared/core/manifests/defaults.ts';
import { DEFAULTS_SOURCE, jobSettings } from '../../shared/core/manifests/defaults.ts';
import type { JobPatch } from '../../shared/core/manifests/job-patch.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import { readDefaults } from '../../shared/kubernetes/run/defaults.ts';
import type { Session } from '../command-line/session.ts';
import { say } from '../output/progress.ts';
import type { Context } from '../process/context.ts';

/** The flags that say what the defaults say, by the names of their values. A rehearsal has no namespace of runs. */
const FLAGS = {
  image: '--image',
  imagePullSecret: '--image-pull-secret',
  serviceAccount: '--service-account',
  runNamespace: '--run-namespace',
  jobPatch: '--job-patch',
} as const;

/**
 * The defaults, as far as the user may read them. Who may not is warned: an image that only the defaults name would
 * otherwise be missed without a word (R8.24). `given`: the arguments of the command.
 */
async function defaultsFor(
  { client, namespace }: Pick<Session, 'client' | 'namespace'>,
  given: object,
  warn: (line: string) => void,
): Promise<Defaults | undefined> {
  try {
    return await readDefaults(client, namespace);
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || !isHidden(error)) throw error;
    const flags = Object.entries(FLAGS).flatMap(([key, flag]) => (key in given ? [flag] : []));
    warn(
      `warning: you may not read ${DEFAULTS_SOURCE} in namespace ${namespace}; if it is there, give as flags what it says ` +
        `(${flags.join(', ')})`,
    );
    return undefined;
  }
}

/** The defaults, for who starts no run: that they can't be read or used is told by who would start one. */
export async function usableDefaults({
  client,
  namespace,
}: Pick<Session, 'client' | 'namespace'>): Promise<Defaults | undefined> {
  try {
    return await readDefaults(client, namespace);
  } catch (error) {
    if (error instanceof RestoreHooksError && (isHidden(error) || error.code === 'INVALID_INPUT')) return undefined;
    throw error;
  }
}

export const isHidden = (error: RestoreHooksError): boolean =>
  error.code === 'FORBIDDEN' && kubeApiError(error)?.status === 403;

/** A command's arguments with what its Job is made with. A local run has none, and so needs no defaults. */
export async function settled<Given extends JobFlags & { readonly runner: 'job' | 'local' }>(
  session: Session,
  given: Given,
  patches: readonly JobPatch[],
  { stderr }: Pick<Context, 'stderr'>,
): Promise<Omit<Given, keyof JobSettings> & JobSettings> {
  const defaults = given.runner === 'job' ? await defaultsFor(session, given, (line) => say(stderr, line)) : undefined;
  return { ...given, ...jobSettings(given, patches, defaults) };
}
