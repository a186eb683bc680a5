import type { Restore } from '../../shared/core/model/restore.ts';
import type { Notice } from '../../shared/core/plan/notice.ts';
import { hookEntriesOf } from '../../shared/core/plan/sources.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { readInput, readTexts } from '../../shared/input/files.ts';
import { readHookFiles } from '../../shared/input/hooks.ts';
import { planFlags } from '../../shared/input/run-flags.ts';
import { filenameArg } from '../command-line/args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { usage } from '../command-line/session.ts';
import type { Injected } from '../inject/injection.ts';
import { injectInto } from '../inject/injection.ts';
import { theRestore } from '../input/plan-input.ts';
import type { Context } from '../process/context.ts';

export const inject = defineCommand({
  args: {
    ...filenameArg,
    restore: {
      type: 'string',
      value: 'FILE',
      description: 'File with a Restore, whose hooks, filters and namespaceMapping are used',
    },
    hooks: planFlags.hooks,
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAMESPACE',
      description: 'Namespace of manifests that name none (default: default)',
    },
  },
  positionals: {},
  examples: [
    [
      'inject -f pods.yaml --restore restore.yaml',
      "print the manifests with the init containers of the Restore's hooks",
    ],
    ['inject --hooks hooks.yaml < web.yaml | kubectl apply -f -', 'the same as a filter, with hooks from a file'],
    ['inject -f web.yaml', 'use only the init.hook… annotations of pods and templates'],
  ],
  details:
    'Changes Pods and the pod templates of Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs and CronJobs. Only ' +
    'inserts lines; everything else, including comments, is printed as it was. Manifests that already have their init ' +
    'containers stay unchanged. Stderr says what was done.',
  docs: 'docs/hooks.md',

  async run(args, context): Promise<CommandResult> {
    const filenames = args.filename.length > 0 ? args.filename : ['-'];
    const restoreFiles = args.restore === undefined ? [] : [args.restore];
    if ([...filenames, ...restoreFiles, ...args.hooks].filter((name) => name === '-').length > 1) {
      throw usage('stdin (-) can be read only once', 'give -f, --restore or --hooks a file');
    }
    const { restore, notices } = await restoreOf(restoreFiles, context);
    const entries = hookEntriesOf(restore, await readHookFiles(args.hooks, context));
    const texts = await readTexts(filenames, context);
    const input = { entries, restore, namespace: args.namespace };
    const injected = texts.map(({ text, file }) => injectInto(text, file, input));

    const say = (line: string) => context.stderr.write(`${sanitizeLine(line)}\n`);
    for (const { message } of notices) say(`warning: ${message}`);
    for (const { warnings } of injected) for (const warning of warnings) say(`warning: ${warning}`);
    const changes = injected.flatMap((each) => each.changes);
    for (const change of changes.length > 0 ? changes : ['nothing to inject']) say(change);
    return { view: { kind: 'filtered', text: joined(injected) } };
  },
});

async function restoreOf(
  files: readonly string[],
  context: Context,
): Promise<{ readonly restore?: Restore; readonly notices: readonly Notice[] }> {
  if (files.length === 0) return { notices: [] };
  const { objects, notices } = await readInput(files, context);
  const given = theRestore(objects, '--restore');
  return { restore: given.restore, notices: [...notices, ...given.notices] };
}

/**
 * Join several files to one stream. JSON objects follow each other directly, YAML documents need `---` between them.
 */
function joined(parts: readonly Injected[]): string {
  const [first, ...rest] = parts.filter(({ text }) => text.trim() !== '');
  if (first === undefined) return parts.map(({ text }) => text).join('');
  if (rest.length === 0) return first.text;
  const all = [first, ...rest];
  const separator = all.every(({ isJson }) => isJson) ? '' : '---\n';
  // kubectl takes a stream that begins with JSON for JSON to its end, so YAML must not come after it without `---`.
  const start = first.isJson ? separator : '';
  return start + all.map(({ text }) => endLine(text)).reduce((stream, text) => stream + separatorBefore(text) + text);

  function separatorBefore(text: string): string {
    return text.startsWith('---') ? '' : separator;
  }
}

const endLine = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);
