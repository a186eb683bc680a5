import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { isChartTemplate } from '../../shared/core/lint/collect/placeholder.ts';
import { lint } from '../../shared/core/lint/lint.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { readTexts } from '../../shared/input/files.ts';
import { gapsIn } from '../../shared/input/manifests.ts';
import { whileReading } from '../input/file-work.ts';
import { beginWork } from '../output/progress.ts';
import type { Context } from '../process/context.ts';
import type { PassedOver } from './passed-over.ts';
import { countLookedAt, passedOver, templatePassedOver } from './passed-over.ts';
import type { Located, Source } from './source.ts';
import { gapsOf, innerOf, inOrder, locate, sourcesOf, withEdits } from './source.ts';

export interface LookedAt {
  readonly found: readonly Located[];
  readonly lookedAt: number;
  readonly passed: readonly PassedOver[];
  /** The parts of the files that kubectl will not read. */
  readonly gaps: readonly string[];
  /** Files that are neither YAML nor JSON. */
  readonly unreadable: readonly RestoreHooksError[];
}

/** What is linted besides files. `isLive`: it comes from the cluster. */
interface Others {
  readonly others: readonly Source[];
  readonly isLive: boolean;
}

interface GivenText {
  readonly text: string;
  readonly file: string;
}

/** A corrected key can bring another mistake to light. Each round corrects at least one, so this ends. */
const MAX_ROUNDS = 10;

/** Lint the files together with what comes from the cluster or a backup. `fix`: correct the files first. */
export async function lintFiles(
  filenames: readonly string[],
  { fix, recursive, ...rest }: { fix: boolean; recursive: boolean } & Others,
  context: Context,
): Promise<LookedAt> {
  let texts = await whileReading(context, (reading) => readTexts(filenames, reading, recursive));
  for (const { text, file } of texts) {
    for (const { line, reason } of gapsIn(text, file)) context.stderr.write(`warning: ${file}:${line}: ${reason}\n`);
  }
  let looked = findAll(texts, rest, context);
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
    looked = findAll(texts, rest, context);
  }
  return looked;
}

function findAll(texts: readonly GivenText[], others: Others, context: Context): LookedAt {
  const work = beginWork(context, 'linting');
  try {
    return findIn(texts, others, (done) => work.at({ done, total: texts.length, unit: 'files' }));
  } finally {
    work.end();
  }
}

function findIn(texts: readonly GivenText[], { others, isLive }: Others, onText: (done: number) => void): LookedAt {
  const templates: PassedOver[] = [];
  const unreadable: RestoreHooksError[] = [];
  const gaps: string[] = [];
  const ofTexts = texts.flatMap((given, index) => {
    onText(index);
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
  const findings = lint(
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

/** Files in which there is nothing to lint are a mistake of the caller's, not a clean result. */
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
