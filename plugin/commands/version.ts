import { RestoreHooksError } from '../../shared/core/errors.ts';
import { DEFAULTS_NAME, IMAGE } from '../../shared/core/names.ts';
import { runnerSkew, serverSkew, versionOfImage } from '../../shared/core/skew.ts';
import { DEFAULT_IMAGE, VERSION } from '../../shared/core/version.ts';
import { kubeArgs, outputArg } from '../command-line/args.ts';
import type { Arguments } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';

export const version = defineCommand({
  args: {
    client: { type: 'boolean', description: 'Show only the versions of the plugin; ask no cluster' },
    image: {
      type: 'string',
      value: 'IMAGE',
      form: IMAGE,
      description: `The runner's image (default: that of ConfigMap ${DEFAULTS_NAME}, else ${DEFAULT_IMAGE})`,
    },
    ...outputArg(['json', 'yaml']),
    ...kubeArgs,
  },
  positionals: {},
  examples: [
    ['version', 'versions of the plugin and of the cluster'],
    ['version --client -o json', 'only the plugin and its image, for scripts'],
    ['version --image registry.example.com/runner:v1.2.3', 'whether this image fits the plugin'],
  ],
  exitCodes: [0, 2, 5, 6, 130, 143],

  async run(args, { env }) {
    const server = args.client ? undefined : await askServer(args, env);
    const image = args.image ?? (server instanceof RestoreHooksError ? undefined : server?.image) ?? DEFAULT_IMAGE;
    const runnerVersion = versionOfImage(image);
    const serverVersion = server instanceof RestoreHooksError ? undefined : server?.version;
    const behind = serverVersion === undefined ? undefined : serverSkew(serverVersion);
    const ofServer = behind === undefined ? undefined : `the server is Kubernetes ${serverVersion}: ${behind}`;
    const skew = [runnerSkew(image), ofServer].filter((line) => line !== undefined);
    const document = {
      version: VERSION,
      image,
      ...(runnerVersion !== undefined && { runnerVersion }),
      nodeVersion: process.version,
      platform: `${process.platform}/${process.arch}`,
      ...(serverVersion !== undefined && { serverVersion }),
      skew,
    };
    const human = [
      `Plugin version: ${VERSION}`,
      `Runner image: ${image}`,
      `Runner version: ${runnerVersion === undefined ? 'unknown until it runs' : `${runnerVersion} (by the image's tag)`}`,
      `Node.js version: ${process.version}`,
      ...(serverVersion === undefined ? [] : [`Server version: ${serverVersion}`]),
      ...(skew.length === 0 ? ['Version skew: none'] : skew.map((line) => `Version skew: ${line}`)),
    ];
    return {
      view: { kind: 'document', document, human },
      ...(server instanceof RestoreHooksError && { error: server }),
    };
  },
});

interface Server {
  readonly version: string;
  /** That of the defaults, if there are any that can be read. */
  readonly image: string | undefined;
}

/**
 * What the server says, or why it can't be asked. That is returned, not thrown: the other versions are shown all the
 * same (R7.13).
 */
async function askServer(
  args: Arguments<typeof kubeArgs, Record<never, never>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Server | RestoreHooksError> {
  // The client is loaded only here, so that `version --client` starts fast.
  const [{ loadKubeConfig }, { kubeClient }, { namespaceOf }, { usableDefaults }] = await Promise.all([
    import('../../shared/kubernetes/connect/kubeconfig.ts'),
    import('../../shared/kubernetes/api/client.ts'),
    import('../command-line/session.ts'),
    import('../run/job-settings.ts'),
  ]);
  try {
    const client = kubeClient(loadKubeConfig({ ...args, env }), {
      requestTimeoutMs: args.requestTimeout,
      maxRetries: 0,
    });
    try {
      const { gitVersion } = await client.get('/version');
      // That they can't be read is told by who would start a run.
      const defaults = await usableDefaults({ client, namespace: namespaceOf(args, { env }) }).catch(() => undefined);
      return { version: String(gitVersion), image: defaults?.image };
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof RestoreHooksError) return error;
    throw error;
  }
}
