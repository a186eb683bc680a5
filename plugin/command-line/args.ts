import type { Flag, Flags } from '../../shared/input/flags.ts';
import type { OutputFormat } from '../output/view.ts';

/** From this verbosity on each request is shown on stderr, as kubectl does. */
export const SHOW_REQUESTS = 6;

const verbosity = {
  v: {
    type: 'integer',
    short: 'v',
    value: 'LEVEL',
    default: 0,
    min: 0,
    description: 'Verbosity on stderr, 0 to 9; from 6 on, each request to the API server is shown',
  },
} as const satisfies Flags;

/** Flags that every command has. */
export const commonArgs = {
  help: { type: 'boolean', short: 'h', description: 'Show this help' },
  color: {
    type: 'string',
    choices: ['auto', 'always', 'never'],
    default: 'auto',
    description: 'Colours: on a terminal without NO_COLOR, always, or never',
  },
  ...verbosity,
} as const satisfies Flags;

/** Flags of every command that talks to a cluster, with kubectl's names and meaning (R7.14). */
export const kubeArgs = {
  ...verbosity,
  namespace: {
    type: 'string',
    short: 'n',
    value: 'NAMESPACE',
    description: "The Restore's namespace (default: $VELERO_NAMESPACE, else velero)",
  },
  context: { type: 'string', value: 'NAME', description: 'The kubeconfig context to use' },
  cluster: { type: 'string', value: 'NAME', description: 'The kubeconfig cluster to use' },
  user: { type: 'string', value: 'NAME', description: 'The kubeconfig user to use' },
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    description: 'The kubeconfig file (default: $KUBECONFIG, else ~/.kube/config)',
  },
  kuberc: { type: 'string', value: 'FILE', description: 'The kuberc file (default: $KUBERC, else ~/.kube/kuberc)' },
  server: { type: 'string', short: 's', value: 'URL', description: 'The API server' },
  token: { type: 'string', value: 'TOKEN', description: 'Bearer token for the API server' },
  'certificate-authority': { type: 'string', value: 'FILE', description: "The API server's certificate authority" },
  'client-certificate': { type: 'string', value: 'FILE', description: 'Client certificate for TLS' },
  'client-key': { type: 'string', value: 'FILE', description: "The client certificate's key" },
  'insecure-skip-tls-verify': { type: 'boolean', description: "Don't verify the API server's certificate" },
  'tls-server-name': { type: 'string', value: 'NAME', description: "The name in the API server's certificate" },
  as: { type: 'string', value: 'USER', description: 'User to impersonate' },
  'as-group': { type: 'strings', value: 'GROUP', description: 'Group to impersonate; can be repeated' },
  'as-uid': { type: 'string', value: 'UID', description: 'UID to impersonate' },
  'as-user-extra': { type: 'strings', value: 'KEY=VALUE', description: 'Extra to impersonate; can be repeated' },
  'request-timeout': {
    type: 'duration',
    seconds: true,
    default: 0,
    value: 'DURATION',
    description: 'How long to wait for an answer of the API server (1s, 2m; 0: no limit)',
  },
} as const satisfies Flags;

/** For every command that has to do with runs (R8.80). */
export const runNamespaceArg = {
  'run-namespace': {
    type: 'string',
    value: 'NAMESPACE',
    description:
      "The namespace of the runs' objects: Job, plan, report, journal (default: that of the last run, else the Restore's)",
  },
} as const satisfies Flags;

export const filenameArg = {
  filename: {
    type: 'list',
    short: 'f',
    value: 'FILE',
    description: 'File, directory or - (stdin) to read manifests from; can be repeated',
  },
} as const satisfies Flags;

export const selectorArg = {
  selector: { type: 'string', short: 'l', value: 'SELECTOR', description: 'Label selector of the pods to work on' },
  'all-namespaces': { type: 'boolean', short: 'A', description: 'Pods of all namespaces (with --selector)' },
} as const satisfies Flags;

export const watchArg = {
  watch: { type: 'boolean', short: 'w', description: 'Follow the run until it has ended' },
} as const satisfies Flags;

/** `-o` with the formats in which the command's view can be printed. Without `-o` it is printed as a table. */
export function outputArg<const Formats extends readonly Exclude<OutputFormat, 'table'>[]>(formats: Formats) {
  return {
    output: {
      type: 'string',
      short: 'o',
      choices: formats,
      description: 'Output format',
    },
  } as const satisfies Flags;
}

/**
 * All flags that may stand before the command's name (`-n velero plan x`). The name is found with these alone, so `-o`
 * takes any value here; each command says which formats it has.
 */
export const sharedFlags: Readonly<Record<string, Flag>> = {
  ...commonArgs,
  ...kubeArgs,
  ...filenameArg,
  ...selectorArg,
  ...watchArg,
  output: { type: 'string', short: 'o', description: '' },
};
