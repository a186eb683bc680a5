import { BACKUP_RESOURCE, RESTORE_RESOURCE } from '../../shared/core/names.ts';
import type { LastWord, ParsedValue, UnfinishedArgv } from '../../shared/input/argv.ts';
import { indexOfCommand, parseArgv, readUnfinished } from '../../shared/input/argv.ts';
import type { Flag, Flags } from '../../shared/input/flags.ts';
import { commonArgs, sharedFlags } from '../command-line/args.ts';
import type { CommandList } from '../command-line/command.ts';
import type { Candidate } from './candidates.ts';

/** Names that a kubeconfig or the cluster has. */
export type NameKind =
  | 'contexts'
  | 'clusters'
  | 'users'
  | 'namespaces'
  | 'restores'
  | 'backups'
  | 'rehearsals'
  | 'pods'
  | 'hooks'
  | 'hooks and pods'
  | 'runs'
  | 'ServiceAccounts'
  | 'pull secrets';

/** What may stand in place of the last word. */
export type Wanted =
  | { readonly kind: 'words'; readonly candidates: readonly Candidate[] }
  /** `endings`: of the files that fit; without them any file fits. */
  | { readonly kind: 'files'; readonly endings?: readonly string[] }
  | { readonly kind: 'names'; readonly of: NameKind };

/** A command line whose last word is to be completed. */
export interface Request {
  readonly wanted: Wanted;
  /** What has been typed of the candidate. */
  readonly text: string;
  /** What stands before it in the same word, and is a part of each candidate. */
  readonly lead: string;
  /** Values that the same flag has been given before. */
  readonly taken: readonly string[];
  /** The Restore that the words before name. */
  readonly restore: string | undefined;
  /** The values of the flags in the words before, as a command gets them. Throws if one is invalid. */
  readonly values: () => Readonly<Record<string, ParsedValue>>;
}

const MANIFESTS = ['yaml', 'yml', 'json'];
const NO_WORDS: Wanted = { kind: 'words', candidates: [] };
const RESTORES: Wanted = { kind: 'names', of: 'restores' };
const BACKUPS: Wanted = { kind: 'names', of: 'backups' };
/** What a positional takes, by its name; with `--cleanup` BACKUP is a rehearsal's id. */
const POSITIONALS: Readonly<Record<string, Wanted>> = { restore: RESTORES, backup: BACKUPS };

/** `words`: what stands behind `kubectl restorehooks`. Rejects if there is a mistake before the last word. */
export async function readRequest(words: readonly string[], commands: CommandList): Promise<Request> {
  const index = indexOfCommand(words.slice(0, -1), sharedFlags);
  const name = words[index];
  const others = words.filter((_, position) => position !== index);
  if (name === undefined || name === 'help') {
    const names = [...Object.entries(commands).map(([value, { summary: description }]) => ({ value, description }))];
    if (name === undefined) names.push({ value: 'help', description: 'Show what a command does, and its flags' });
    return requestOf(readUnfinished(others, sharedFlags), sharedFlags, {
      command: { kind: 'words', candidates: names },
    });
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) throw new Error(`there is no command ${name}`);
  const { args, positionals } = await entry.load();
  const flags = { ...args, ...commonArgs };
  const named = Object.keys(positionals).map((key) => [key, POSITIONALS[key] ?? NO_WORDS]);
  return requestOf(readUnfinished(others, flags), flags, Object.fromEntries(named));
}

/** `places`: the command's positionals by their names, and what each of them takes. */
function requestOf(argv: UnfinishedArgv, flags: Flags, places: Readonly<Record<string, Wanted>>): Request {
  const { last, before, positionals } = argv;
  const request = {
    wanted: NO_WORDS,
    text: last.text,
    lead: '',
    taken: [],
    restore: positionals[Object.keys(places).indexOf('restore')],
    values: () => parseArgv(before, flags).values,
  };
  if (last.kind === 'flag')
    return { ...request, wanted: { kind: 'words', candidates: [...flagCandidates(argv, flags)] } };
  if (last.kind === 'value') return { ...request, ...valueRequest(argv, last, flags) };
  const place = Object.values(places)[positionals.length] ?? NO_WORDS;
  const wanted: Wanted = place === BACKUPS && argv.flags.has('cleanup') ? { kind: 'names', of: 'rehearsals' } : place;
  const type = wanted === RESTORES ? RESTORE_RESOURCE : wanted === BACKUPS ? BACKUP_RESOURCE : undefined;
  if (type === undefined) return { ...request, wanted };
  // RESTORE and BACKUP may be written as kubectl prints them: restore.velero.io/NAME.
  const [resource = ''] = /^[^/]*(?=\/)/.exec(last.text) ?? [];
  const lead = type.test(resource) ? `${resource}/` : '';
  return { ...request, wanted, lead, text: last.text.slice(lead.length) };
}

/** Flags that the line doesn't have yet, or that can be repeated. One letter is offered only in place of one letter. */
function* flagCandidates({ last, flags: given }: UnfinishedArgv, flags: Flags): Generator<Candidate> {
  for (const [name, flag] of Object.entries(flags)) {
    const { short, hidden, description, type } = flag;
    if (hidden || description === '' || (given.has(name) && type !== 'strings' && type !== 'list')) continue;
    if (name.length > 1) yield { value: `--${name}`, description };
    if (short !== undefined && !last.text.startsWith('--')) yield { value: `-${short}`, description };
    if (type !== 'string' || flag.bare === undefined) continue;
    for (const choice of flag.choices ?? []) yield { value: `--${name}=${choice}`, description };
  }
}

function valueRequest(
  { flags: given }: UnfinishedArgv,
  { flag: name, lead, text }: Extract<LastWord, { kind: 'value' }>,
  flags: Flags,
): Pick<Request, 'wanted' | 'text' | 'lead' | 'taken'> {
  const flag = flags[name] as Flag;
  const wanted = wantedBy(name, flag);
  // kubectl's scripts write `--flag=` before the candidates themselves. (`-n=` alone is read as the value `=`.)
  const isEqual = lead.endsWith('=') || (lead !== '' && text === '=');
  const before = isEqual ? '' : lead;
  const typed = isEqual && text === '=' ? '' : text;
  if (flag.type !== 'list')
    return { wanted, text: typed, lead: before, taken: flag.type === 'strings' ? (given.get(name) ?? []) : [] };
  const comma = typed.lastIndexOf(',') + 1;
  const taken = [...(given.get(name) ?? []), typed.slice(0, comma)].flatMap((list) => list.split(','));
  return { wanted, text: typed.slice(comma), lead: before + typed.slice(0, comma), taken };
}

/** What values of flags are, by the names that the help gives them. */
const BY_VALUE: Readonly<Record<string, Wanted>> = {
  FILE: { kind: 'files' },
  NAMESPACE: { kind: 'names', of: 'namespaces' },
  'NAMESPACE,...': { kind: 'names', of: 'namespaces' },
  BACKUP: BACKUPS,
  POD: { kind: 'names', of: 'pods' },
  HOOK: { kind: 'names', of: 'hooks' },
  'HOOK|POD': { kind: 'names', of: 'hooks and pods' },
  SECRET: { kind: 'names', of: 'pull secrets' },
  ID: { kind: 'names', of: 'runs' },
};

/** Values that the help calls NAME, and files of a known kind, by their flags. */
const BY_FLAG: Readonly<Record<string, Wanted>> = {
  context: { kind: 'names', of: 'contexts' },
  cluster: { kind: 'names', of: 'clusters' },
  user: { kind: 'names', of: 'users' },
  'service-account': { kind: 'names', of: 'ServiceAccounts' },
  filename: { kind: 'files', endings: MANIFESTS },
  hooks: { kind: 'files', endings: MANIFESTS },
  restore: { kind: 'files', endings: MANIFESTS },
};

function wantedBy(name: string, flag: Flag): Wanted {
  const words = (values: readonly string[]): Wanted => ({
    kind: 'words',
    candidates: values.map((value) => ({ value })),
  });
  if (flag.type === 'boolean') return words(['true', 'false']);
  if ('choices' in flag && flag.choices !== undefined) return words(flag.choices);
  return BY_FLAG[name] ?? BY_VALUE[flag.value ?? ''] ?? NO_WORDS;
}
