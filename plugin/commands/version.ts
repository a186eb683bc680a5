import { RestoreHooksError } from '../../shared/core/errors.ts';
import { DEFAULT_IMAGE, VERSION } from '../../shared/core/version.ts';
import { kubeArgs, outputArg } from '../command-line/args.ts';
import type { Arguments } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';

export const version = defineCommand({
  args: {
    client: { type: 'boolean', description: 'Show only the versions of the plugin; ask no cluster' },
    ...outputArg(['json', 'yaml']),
    ...kubeArgs,
  },
  positionals: {},
  examples: [
    ['version', 'versions of the plugin and of the cluster'],
    ['version --client -o json', 'only the plugin, for scripts'],
  ],
  exitCodes: [0, 2, 5, 6, 130, 143],

  async run(args, { env }) {
    const server = args.client ? undefined : await serverVersion(args, env);
    const document = {
      version: VERSION,
      image: DEFAULT_IMAGE,
      nodeVersion: process.version,
      platform: `${process.platform}/${process.arch}`,
      ...(typeof server === 'string' && { serverVersion: server }),
    };
    const human = [
      `Plugin version: ${VERSION}`,
      `Runner image: ${DEFAULT_IMAGE}`,
      `Node.js version: ${process.version}`,
    ];
    if (typeof server === 'string') human.push(`Server version: ${server}`);
    return {
      view: { kind: 'document', document, human },
      ...(server instanceof RestoreHooksError && { error: server }),
    };
  },
});

/**
 * The server's version, or why it can't be told. That is returned, not thrown: the other versions are shown all the
 * same (R7.13).
 */
async function serverVersion(
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
