import type { RunDocument } from '../../shared/core/report/run-document.ts';
import { filenameArg, kubeArgs, runNamespaceArg } from '../command-line/args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import type { KubeArguments } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import type { SavedDocuments } from '../report/input.ts';
import type { ReportInput } from '../report/report.ts';
import { status } from './status.ts';

const FORMATS = ['markdown', 'html', 'junit', 'json'] as const;

/** Makes one file of a run, and changes nothing (R7.25). */
export const report = defineCommand({
  args: {
    output: {
      type: 'string',
      short: 'o',
      choices: FORMATS,
      default: 'markdown',
      description: 'Output format',
    },
    filename: {
      ...filenameArg.filename,
      description: 'File or - (stdin) with a saved run, or with its plan; can be repeated',
    },
    run: { type: 'string', value: 'ID', description: 'Report this earlier run instead of the last one' },
    ...runNamespaceArg,
    ...kubeArgs,
  },
  positionals: { restore: { description: 'The Restore', optional: true } },
  examples: [
    ['report nightly', 'what became of the last run, for a pull request or an incident channel'],
    [
      'report nightly -o html > nightly.html',
      'a page to open in a browser, with a timeline and the output of failures',
    ],
    ['report nightly -o junit > nightly.xml', 'for a CI server: a test for each hook'],
    ['report nightly --run 44c9vd', 'of an earlier run'],
    ['report nightly -f plan.json -o html > nightly.html', 'with a plan that is gone from the cluster'],
    ['report -f run.json -o html > nightly.html', 'without a cluster, of what status -o json has printed'],
  ],
  details:
    'Reads, and changes nothing; exits with 0 whatever became of the run. -f takes a run (status -o json) instead of ' +
    'RESTORE, and its plan (plan -o json). A report holds commands and outputs, which can hold passwords.',
  exitCodes: [0, 2, 4, 5, 6, 130, 143],
  docs: 'docs/results.md',

  async run({ restore, output, filename, run: runID, ...args }, context): Promise<CommandResult> {
    const { savedDocuments } = await import('../report/input.ts');
    const { run: saved, plan } = await savedDocuments(filename, context);
    if ((saved === undefined) === (restore === undefined)) {
      const what =
        saved === undefined ? 'a RESTORE or -f with a run is missing' : 'give either RESTORE or -f with a run';
      throw usage(what, 'usage: kubectl restorehooks report RESTORE, or report -f run.json');
    }
    if (saved !== undefined && runID !== undefined) throw usage('--run is of a RESTORE, not of a saved run');
    // What `status` prints, from `status` itself: the two can't come to differ.
    const { view } =
      saved === undefined ? await status.run({ ...args, restore, run: runID, watch: false }, context) : {};
    const run = saved ?? ((view?.kind === 'document' ? view.document : undefined) as RunDocument);
    if (output === 'json') return { view: { kind: 'document', document: run, human: [] } };
    const input = { run, ...(await planFor(run, { run: saved, plan }, output, args, context)) };
    return { view: { kind: 'text', text: await written(input, output) } };
  },
});

/** The plan that was given, or that of a run in the cluster, if the format tells of it. */
async function planFor(
  run: RunDocument,
  { run: saved, plan }: SavedDocuments,
  format: (typeof FORMATS)[number],
  args: KubeArguments,
  context: Context,
): Promise<Pick<ReportInput, 'plan' | 'noPlan'>> {
  if (plan !== undefined || saved !== undefined || format === 'junit') return { plan };
  return (await import('../report/plan-of-run.ts')).planOfRun(run, args, context);
}

/** Each format is loaded only where it is asked for. */
async function written(input: ReportInput, format: Exclude<(typeof FORMATS)[number], 'json'>): Promise<string> {
  switch (format) {
    case 'markdown':
      return (await import('../report/markdown.ts')).markdown(input);
    case 'html':
      return (await import('../report/html.ts')).html(input);
    case 'junit':
      return (await import('../report/junit.ts')).junit(input);
  }
}
