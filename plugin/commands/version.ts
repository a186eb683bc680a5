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
    image: { type: 'string', value: 'IMAGE', form: IMAGE, default: DEFAULT_IMAGE, description: "The runner's image" },
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
    const { image } = args;
    const runnerVersion = versionOfImage(image);
    const serverVersion = typeof server === 'string' ? server : undefined;
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
      `Runner image: ${image}${image === DEFAULT_IMAGE ? UNLESS : ''}`,
      `Runner version: ${runnerVersion === undefined ? 'unknown until it runs' : `${runnerVersion} (by the image's tag)`}`,
      `Node.js version: ${process.version}`,
      ...(serverVersion === undefined ? [] : [`Server version: ${serverVersion}`]),
      ...skewLines(skew, runnerVersion !== undefined),
    ];
    return {
      view: { kind: 'document', document, human },
      ...(server instanceof RestoreHooksError && { error: server }),
    };
  },
});

function skewLines(known: readonly string[], isRunnerKnown: boolean): string[] {
  const lines = isRunnerKnown ? known : [...known, "unknown for the runner: the image's tag is no version"];
  return (lines.length === 0 ? ['none'] : lines).map((line) => `Version skew: ${line}`);
}

/** One request is enough to know whether the cluster answers; `check` and `apply` judge the image of the defaults. */
const UNLESS = ` (unless ConfigMap ${DEFAULTS_NAME} names another: see check)`;

/**
 * The server's version, or why it can't be told. That is returned, not thrown: the other versions are shown all the
 * same (R7.13).
 */
async function askServer(
  args: Arguments<typeof kubeArgs, Record<never, never>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | RestoreHooksError> {
  // The client is loaded only here, so that `version --client` starts fast.
  const [{ loadKubeConfig }, { kubeClient }] = await Promise.all([
    import('../../shared/kubernetes/connect/kubeconfig.ts'),
    import('../../shared/kubernetes/api/client.ts'),
  ]);
  try {
    const client = kubeClient(loadKubeConfig({ ...args, env }), {
      requestTimeoutMs: args.requestTimeout,
      maxRetries: 0,
    });
    try {
      const { gitVersion } = await client.get('/version');
      return String(gitVersion);
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof RestoreHooksError) return error;
    throw error;
  }
}
