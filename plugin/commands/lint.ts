import { ExitCode } from '../../shared/core/errors.ts';
import { atLeast } from '../../shared/core/lint/lint.ts';
import { filenameArg, kubeArgs } from '../command-line/args.ts';
import { backupArgs, namesBackup } from '../command-line/backup-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { usage } from '../command-line/session.ts';
import { clusterSources } from '../lint/cluster-sources.ts';
import { formatFindings } from '../lint/formats.ts';
import { lintFiles } from '../lint/lint-files.ts';
import { SEVERITIES, summarize } from '../lint/summary.ts';

export const lint = defineCommand({
  args: {
    'fail-on': {
      type: 'string',
      choices: SEVERITIES,
      default: 'warning',
      description: 'Exit 3 if there is a finding of this severity or a higher one',
    },
    severity: {
      type: 'string',
      choices: SEVERITIES,
      description: 'Show findings of this severity and higher ones (default: warning; info with --fail-on=info)',
    },
    fix: { type: 'boolean', description: 'Correct in the files what is surely mistyped' },
    recursive: { type: 'boolean', short: 'R', description: 'Also read the directories below those of -f' },
    output: {
      type: 'string',
      short: 'o',
      choices: ['json', 'sarif', 'github'],
      description: 'Output format',
    },
    ...filenameArg,
    hooks: {
      type: 'list',
      value: 'FILE',
      description: 'Also check the hooks of this file (kind RestoreHooks); can be repeated',
    },
    ...backupArgs,
    ...kubeArgs,
  },
  positionals: {
    restore: { description: "A Restore in the cluster, with its live pods or a backup's", optional: true },
  },
  examples: [
    ['lint -f restore.yaml -f pods/', 'a Restore, and the pods or workloads that its hooks are for'],
    ['lint -f deploy.yaml --fix', 'correct mistyped keys and values in place'],
    ['lint -f manifests/ -o sarif > lint.sarif', 'for code scanning'],
    ['lint nightly', 'a Restore in the cluster'],
    ['lint nightly --from-backup nightly', 'a Restore, and the pods that it is going to restore'],
    ['lint -f restore.yaml --backup-archive nightly-data.tar.gz', 'the same without a cluster'],
  ],
  details:
    'Checks Restores, RestoreHooks, Pods, everything that has a pod template, annotations of hooks in patches and in ' +
    'values of charts, and resource modifiers. Says what it passes over, and how that can be checked. ' +
    'Rules that need more than one object use all that are given.',
  exitCodes: [0, 2, 3, 4, 5, 6, 130, 143],
  docs: 'docs/lint.md',

  async run(args, context): Promise<CommandResult> {
    const { restore, filename, hooks, fix, failOn } = args;
    const files = [...filename, ...hooks];
    const ofBackup = namesBackup(args, files);
    if (filename.length > 0 ? restore !== undefined : restore === undefined && !ofBackup) {
      throw usage('give either a RESTORE or -f', 'usage: kubectl restorehooks lint RESTORE, or lint -f FILE');
    }
    if (fix && files.length === 0) throw usage('--fix mends files, and nothing in a cluster or a backup');
    if (fix && files.includes('-')) {
      throw usage("--fix can't mend stdin", 'write it to a file first, and give that with -f');
    }
    const others = await clusterSources(args, ofBackup, context);
    const isLive = restore !== undefined && !ofBackup;
    const looked = await lintFiles(files, { ...args, others, isLive }, context);
    const { found, passed, unreadable } = looked;
    const least = args.severity ?? (failOn === 'info' ? 'info' : 'warning');
    const shown = found.filter(({ rule }) => atLeast(rule.severity, least));
    summarize(looked, shown, context);
    const failed = found.some(({ rule }) => atLeast(rule.severity, failOn));
    const exit = unreadable.length > 0 ? ExitCode.Usage : failed ? ExitCode.HookFailed : ExitCode.Ok; // R7.11
    return { view: { kind: 'text', text: formatFindings(shown, passed, args.output) }, exit };
  },
});
