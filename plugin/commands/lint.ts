import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { shortenName } from '../../shared/core/digest.ts';
import { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import { isChartTemplate } from '../../shared/core/lint/collect/placeholder.ts';
import { atLeast, lint as findingsIn, RULES } from '../../shared/core/lint/lint.ts';
import type { Severity } from '../../shared/core/lint/rules/rule.ts';
import { RESTORE_NAME_LABEL } from '../../shared/core/names.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { readTexts } from '../../shared/input/files.ts';
import { gapsIn } from '../../shared/input/manifests.ts';
import { filenameArg, kubeArgs } from '../command-line/args.ts';
import type { BackupFlags } from '../command-line/backup-args.ts';
import { backupArgs, namesBackup } from '../command-line/backup-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import type { KubeArguments, Session } from '../command-line/session.ts';
import { usage, withCluster } from '../command-line/session.ts';
import { github, human, json, sarif } from '../lint/formats.ts';
import type { PassedOver } from '../lint/passed-over.ts';
import { countLookedAt, passedOver, passedOverLines, templatePassedOver } from '../lint/passed-over.ts';
import type { Located, Source } from '../lint/source.ts';
import { gapsOf, innerOf, inOrder, locate, sourcesOf, withEdits } from '../lint/source.ts';
import type { Context } from '../process/context.ts';

const severities = ['error', 'warning', 'info'] as const;

export const lint = defineCommand({
  args: {
    'fail-on': {
      type: 'string',
      choices: severities,
      default: 'warning',
      description: 'Exit 3 if there is a finding of this severity or a higher one',
    },
    severity: {
      type: 'string',
      choices: severities,
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
    'Rules that need more than one object use all that are given. docs/lint.md has a section for each rule.',
  exitCodes: [0, 2, 3, 4, 5, 6],
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
    const others = await otherSources(args, ofBackup, context);
    const isLive = restore !== undefined && !ofBackup;
    const looked = await inFiles(files, { ...args, others, isLive }, context);
    const { found, passed, unreadable } = looked;
    const least = args.severity ?? (failOn === 'info' ? 'info' : 'warning');
    const shown = found.filter(({ rule }) => atLeast(rule.severity, least));
    summarize(looked, shown, context);
    const failed = found.some(({ rule }) => atLeast(rule.severity, failOn));
    const exit = unreadable.length > 0 ? ExitCode.Usage : failed ? ExitCode.HookFailed : ExitCode.Ok; // R7.11
    return { view: { kind: 'text', text: printed(shown, passed, args.output) }, exit };
  },
});

function printed(
  findings: readonly Located[],
  passed: readonly PassedOver[],
  format: 'json' | 'sarif' | 'github' | undefined,
): string {
  if (format === 'json') return json(findings, passed);
  if (format === 'sarif') return sarif(findings, passed, RULES);
  return format === 'github' ? github(findings) : human(findings);
}

function summarize(
  { found, passed, unreadable, gaps, lookedAt }: LookedAt,
  shown: readonly Located[],
  { stderr }: Context,
): void {
  for (const gap of gaps) stderr.write(`warning: ${sanitizeLine(gap)}\n`);
  for (const { message } of unreadable) stderr.write(`error: ${sanitizeLine(message)}\n`);
  const count = (severity: Severity): string[] => {
    const size = shown.filter(({ rule }) => rule.severity === severity).length;
    return size === 0 ? [] : [severity === 'info' ? `${size} info` : `${size} ${severity}${size === 1 ? '' : 's'}`];
  };
  const nothing = lookedAt === 0 ? 'nothing was linted' : 'nothing found';
  const counts = severities.flatMap(count).join(', ') || nothing;
  const fixable = shown.filter(({ splice }) => splice !== undefined).length;
  const hidden = found.length - shown.length;
  const more = [
    ...(fixable > 0 ? [`${fixable} can be mended with --fix`] : []),
    ...(hidden > 0 ? [`${hidden} more with --severity=info`] : []),
  ];
  stderr.write(`${counts}${more.length > 0 ? ` (${more.join('; ')})` : ''}\n`);
  for (const line of passedOverLines(passed)) stderr.write(`${sanitizeLine(line)}\n`);
}

/** A mended key can bring another mistake to light; each round mends at least one, so that it ends. */
const MAX_ROUNDS = 10;

async function inFiles(
  filenames: readonly string[],
  { fix, recursive, ...rest }: { fix: boolean; recursive: boolean } & Others,
  context: Context,
): Promise<LookedAt> {
  let texts = await readTexts(filenames, context, recursive);
  for (const { text, file } of texts) {
    for (const { line, reason } of gapsIn(text, file)) context.stderr.write(`warning: ${file}:${line}: ${reason}\n`);
  }
  let looked = findAll(texts, rest);
  requireSomething(looked, filenames, rest);
  for (let round = 0; fix && round < MAX_ROUNDS && looked.found.some(({ splice }) => splice); round++) {
    const { found } = looked;
    texts = texts.map(({ file, text }) => {
      const mended = withEdits(
        text,
        found.filter(({ source }) => source.file === file),
      );
      for (const { line, column, splice } of mended.made) {
        const old = text.slice(splice?.from, splice?.to);
        context.stderr.write(sanitizeLine(`${file}:${line}:${column}: fixed: ${old} -> ${splice?.text}`).concat('\n'));
      }
      if (mended.made.length > 0) save(file, text, mended.text, context);
      return { file, text: mended.text };
    });
    looked = findAll(texts, rest);
  }
  return looked;
}

/** What is looked at beside files. */
interface Others {
  readonly others: readonly Source[];
  readonly isLive: boolean;
}

interface LookedAt {
  readonly found: readonly Located[];
  readonly lookedAt: number;
  readonly passed: readonly PassedOver[];
  /** What kubectl will not read of them. */
  readonly gaps: readonly string[];
  /** Files that are neither YAML nor JSON. */
  readonly unreadable: readonly RestoreHooksError[];
}

interface GivenText {
  readonly text: string;
  readonly file: string;
}

function findAll(texts: readonly GivenText[], { others, isLive }: Others): LookedAt {
  const templates: PassedOver[] = [];
  const unreadable: RestoreHooksError[] = [];
  const gaps: string[] = [];
  const ofTexts = texts.flatMap((given) => {
    try {
      gaps.push(...gapsOf(given));
      return sourcesOf(given);
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      if (isChartTemplate(given.text)) templates.push(templatePassedOver(given.file));
      else unreadable.push(error);
      return [];
    }
  });
  const sources = [...others, ...ofTexts];
  const findings = findingsIn(
    sources.map(({ object }) => object),
    { live: isLive, inner: innerOf(sources) },
  );
  return {
    found: inOrder(
      findings.map((finding) => locate(finding, sources)),
      [...others, ...texts].map(({ file }) => file),
    ),
    lookedAt: countLookedAt(sources),
    passed: [...templates, ...passedOver(sources)],
    unreadable,
    gaps,
  };
}

/** Input of which nothing can be said is no input, and surely not what was meant. */
function requireSomething(
  { lookedAt, passed, unreadable }: LookedAt,
  files: readonly string[],
  { others }: Others,
): void {
  if (files.length === 0 || lookedAt > 0 || others.length > 0) return;
  const [broken] = unreadable;
  if (broken !== undefined) throw broken;
  const names = files.map((file) => (file === '-' ? 'stdin' : file)).join(', ');
  if (passed.length === 0) {
    throw new RestoreHooksError('INVALID_INPUT', `nothing to lint: there is no object in ${names}`, {
      hint: 'give it Restores, RestoreHooks, Pods or workloads',
    });
  }
  const [template] = passed;
  if (template?.what === "a Helm chart's template") {
    throw new RestoreHooksError('INVALID_INPUT', `nothing was linted: ${template.file} is a Helm chart's template`, {
      hint: `lint what it makes: ${template.instead}`,
    });
  }
}

function save(file: string, old: string, mended: string, { cwd }: Context): void {
  const full = path.resolve(cwd, file);
  try {
    const bytes = readFileSync(full);
    const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? '\ufeff' : '';
    if (!bytes.equals(Buffer.from(bom + old))) throw new RestoreHooksError('INVALID_INPUT', `${file} has just changed`);
    writeFileSync(full, bom + mended);
  } catch (error) {
    if (error instanceof RestoreHooksError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new RestoreHooksError('INVALID_INPUT', `${file} can't be written: ${code}`, { cause: error });
  }
}

interface OtherFlags extends BackupFlags, KubeArguments {
  readonly restore: string | undefined;
}

async function otherSources(args: OtherFlags, ofBackup: boolean, context: Context): Promise<Source[]> {
  const { restore } = args;
  const read = async (session?: Session): Promise<Source[]> => [
    ...(session !== undefined && restore !== undefined ? [await restoreSource(session, restore)] : []),
    ...(ofBackup ? await backupSources(args, session, context) : []),
    ...(session !== undefined && restore !== undefined && !ofBackup ? await livePods(session, restore) : []),
  ];
  return restore === undefined && args.fromBackup === undefined ? read() : withCluster(args, context, read);
}

async function restoreSource({ client, namespace }: Session, name: string): Promise<Source> {
  const { getRestoreObject } = await import('../../shared/kubernetes/velero/restores.ts');
  const restore = await getRestoreObject(client, namespace, name);
  return asSource({ ...restore, apiVersion: 'velero.io/v1', kind: 'Restore' });
}

async function livePods({ client }: Session, restore: string): Promise<Source[]> {
  const { listPodObjects } = await import('../../shared/kubernetes/velero/restores.ts');
  const pods = await listPodObjects(client, `${RESTORE_NAME_LABEL}=${shortenName(restore)}`);
  return pods.map((pod) => asSource({ ...pod, apiVersion: 'v1', kind: 'Pod' }));
}

async function backupSources(flags: BackupFlags, session: Session | undefined, context: Context): Promise<Source[]> {
  const { backupOf, podsToLint } = await import('../input/backup-input.ts');
  const pods = await podsToLint(backupOf(flags, session, context), (line) =>
    context.stderr.write(`warning: ${sanitizeLine(line)}\n`),
  );
  return pods.map(({ place, pod }) => ({ object: pod, file: place, document: 0, path: [] }));
}

function asSource(object: Readonly<Record<string, unknown>>): Source {
  const { name, namespace } = (object['metadata'] ?? {}) as Record<string, unknown>;
  return { object, file: `${object['kind']} ${namespace}/${name}`, document: 0, path: [] };
}
