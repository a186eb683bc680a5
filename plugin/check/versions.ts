import * as z from 'zod';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { olderOrNewer, serverSkew, versionOfImage } from '../../shared/core/skew.ts';
import { VERSION } from '../../shared/core/version.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Session } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import type { Found } from './checks.ts';
import { ok, problem, unchecked, warning } from './checks.ts';

/** The API server's version, which is also the first request: who can't reach it can check nothing. */
export async function kubernetes(client: Pick<KubeClient, 'get'>): Promise<Found> {
  const { gitVersion } = await client.get('/version');
  const said = `Kubernetes ${gitVersion}, plugin ${VERSION}`;
  if (!/^v\d+\.\d+/.test(String(gitVersion)))
    return unchecked(`${said}: this is not Kubernetes' own form of a version`);
  const skew = serverSkew(String(gitVersion));
  return skew === undefined ? ok(said) : warning(`${said}: ${skew}`);
}

/** The image's version, by what its last runner has said, else by its tag. */
export async function runnerImage({ client, namespace }: Session, image: string): Promise<Found> {
  const said = await saidVersion(client, namespace, image);
  const version = said ?? versionOfImage(image);
  const how = said === undefined ? "by its tag; only a runner's log says more" : 'as its last runner said';
  if (version === undefined) return unchecked(`${image}: its tag is no version, and no runner has said it yet`);
  if (version === VERSION) return ok(`${image} is version ${version} (${how})`);
  return warning(
    `${image} is version ${version} (${how}), and this plugin ${VERSION}: the runner is ${olderOrNewer(version, VERSION)} and starts nothing`,
    `use the image of this version: --image REGISTRY/runner:v${VERSION}`,
  );
}

const RUNNERS = { labelSelector: 'app.kubernetes.io/name=restorehooks' };

const RunnerPod = z.object({
  metadata: z.object({ name: z.string(), creationTimestamp: z.string().nullish() }),
  spec: z.object({ containers: z.array(z.object({ name: z.string(), image: z.string().nullish() })) }),
  status: z
    .object({
      containerStatuses: z
        .array(
          z.object({
            name: z.string(),
            imageID: z.string().nullish(),
            state: z
              .object({ waiting: z.object({ reason: z.string().nullish(), message: z.string().nullish() }).nullish() })
              .nullish(),
          }),
        )
        .nullish(),
    })
    .nullish(),
});
type RunnerPod = z.infer<typeof RunnerPod>;

/** Pods of runners with this image, the newest first. */
async function runnersWith(client: Pick<KubeClient, 'listAll'>, namespace: string, image: string) {
  const { items } = await client.listAll(paths.pods(namespace), RUNNERS);
  return items
    .flatMap((item) => RunnerPod.safeParse(item).data ?? [])
    .filter(({ spec }) => spec.containers.some((one) => one.name === 'runner' && one.image === image))
    .sort((one, other) => ((one.metadata.creationTimestamp ?? '') < (other.metadata.creationTimestamp ?? '') ? 1 : -1));
}

const isHidden = (error: unknown): boolean => {
  const status = kubeApiError(error)?.status;
  return status === 403 || status === 404 || status === 400;
};

const Claimed = z.object({ msg: z.literal('run claimed'), version: z.string() });

/** The version in the log of the newest runner; undefined if there is none, or the user may not read it. */
async function saidVersion(client: KubeClient, namespace: string, image: string): Promise<string | undefined> {
  try {
    const [pod] = await runnersWith(client, namespace, image);
    if (pod === undefined) return undefined;
    const query = { container: 'runner', limitBytes: '65536' };
    const log = await client.getText(paths.podLog(namespace, pod.metadata.name), query);
    return log
      .split('\n')
      .map(versionIn)
      .find((version) => version !== undefined);
  } catch (error) {
    if (isHidden(error)) return undefined;
    throw error;
  }
}

function versionIn(line: string): string | undefined {
  try {
    return Claimed.safeParse(JSON.parse(line)).data?.version;
  } catch {
    return undefined;
  }
}

const Node = z.object({
  spec: z.object({ unschedulable: z.boolean().nullish() }).nullish(),
  status: z.object({ images: z.array(z.object({ names: z.array(z.string()).nullish() })).nullish() }).nullish(),
});

/** A pull can't be tried without a pod, so this tells what earlier runners and the nodes say. */
export async function imagePull(session: Session, image: string, secrets: readonly string[]): Promise<Found> {
  const { client, namespace } = session;
  const missing = await missingSecret(session, secrets);
  if (missing !== undefined) return missing;
  const statuses = (await runnersWith(client, namespace, image).catch(noneIfHidden)).flatMap((pod) =>
    (pod.status?.containerStatuses ?? []).filter(({ name }) => name === 'runner'),
  );
  const waiting = statuses[0]?.state?.waiting;
  if (waiting?.reason && /Image/.test(waiting.reason)) {
    return problem(
      `a runner of this namespace can't pull ${image}: ${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''}`,
      'check the name, and give --image-pull-secret SECRET if the registry asks for a password',
    );
  }
  if (statuses.some(({ imageID }) => imageID)) return ok(`${image} was pulled for an earlier runner`);
  const { items } = await client.listAll(paths.nodes());
  const nodes = items.flatMap((item) => Node.safeParse(item).data ?? []).filter(({ spec }) => !spec?.unschedulable);
  const wanted = fullName(image);
  const having = nodes.filter(({ status }) => status?.images?.some(({ names }) => names?.includes(wanted)));
  if (having.length > 0) return ok(`${image} is on ${having.length} of ${count(nodes.length, 'node')}`);
  return unchecked(
    `${image} is on none of ${count(nodes.length, 'node')} as far as they list their images; whether it can be pulled shows when the Job's pod starts`,
  );
}

const noneIfHidden = (error: unknown): RunnerPod[] => {
  if (isHidden(error)) return [];
  throw error;
};

async function missingSecret({ client, namespace }: Session, secrets: readonly string[]): Promise<Found | undefined> {
  for (const name of secrets) {
    try {
      await client.get(paths.secrets(namespace, name));
    } catch (error) {
      if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
      const command = `kubectl create secret docker-registry ${name} -n ${namespace} --docker-server=… --docker-username=… --docker-password=…`;
      return problem(
        `there is no Secret ${name} in namespace ${namespace} to pull the image with`,
        `create it: ${command}`,
      );
    }
  }
  return undefined;
}

/** As a node lists it: with registry and tag. */
export function fullName(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasRegistry ? image : `docker.io/${rest.length === 0 ? 'library/' : ''}${image}`;
  return /[:@][^/]*$/.test(path.slice(path.lastIndexOf('/'))) ? path : `${path}:latest`;
}
