import { canonicalJson } from '../../shared/core/digest.ts';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { NoticeCode } from '../../shared/core/plan/notice.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import { readInput } from '../../shared/input/files.ts';
import { isRestore, passedOverNotices } from '../../shared/input/objects.ts';
import type { BackupFlags } from '../command-line/backup-args.ts';
import { namesBackup } from '../command-line/backup-args.ts';
import { usage } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import { whileReading } from './file-work.ts';
import type { Given } from './given.ts';
import { requireOneOrigin } from './given.ts';
import { hasPods, savedPlanIn, theRestore } from './plan-input.ts';

/** `apply -f` gives a saved plan, pods to create, or both. */
export interface ApplyInput {
  /** The Restore's namespace. */
  readonly name: string;
  readonly namespace: string | undefined;
  readonly saved: PlanDocument | undefined;
  readonly given: Given;
}

export async function applyInput(
  given: string | undefined,
  args: BackupFlags & {
    readonly filename: readonly string[];
    readonly hooks: readonly string[];
    readonly namespace: string | undefined;
  },
  context: Context,
): Promise<ApplyInput> {
  const { filename, namespace } = args;
  const isOfBackup = namesBackup(args, [...filename, ...args.hooks], true);
  const input = await whileReading(context, (reading) => readInput(filename, reading));
  const { objects } = input;
  const saved = await savedPlanIn(objects);
  if (filename.length > 0 && saved === undefined && !hasPods(objects) && !isOfBackup) {
    throw usage(
      [
        '-f names neither a saved plan (kind RestoreHookPlan) nor pods',
        ...passedOverNotices(objects).map(({ message }) => message),
      ].join('\n'),
      objects.some(isRestore)
        ? 'create the Restore (kubectl create -f), then: kubectl restorehooks apply RESTORE'
        : 'make a plan: kubectl restorehooks plan RESTORE -o json > plan.json',
    );
  }
  requireOneOrigin(objects, isOfBackup);
  const restores = objects.filter(isRestore);
  const ofFile = restores.length === 0 ? undefined : theRestore(restores, '-f');
  const inFile = ofFile?.isNamed ? ofFile.restore.metadata : undefined;
  const name = given ?? saved?.restore.name ?? inFile?.name;
  if (name === undefined) {
    throw usage(
      ofFile === undefined
        ? 'RESTORE is missing'
        : 'the Restore of -f got its name when it was created: RESTORE is missing',
      'usage: kubectl restorehooks apply RESTORE, or apply -f plan.json',
    );
  }
  const other = [saved?.restore.name, inFile?.name].find((each) => each !== undefined && each !== name);
  if (other !== undefined) {
    const what = saved === undefined ? '-f holds' : 'the plan is of';
    throw usage(`${what} Restore ${other}, not of ${name}`, 'leave RESTORE out, or give what belongs to it');
  }
  return {
    name,
    namespace: namespace ?? saved?.restore.namespace ?? inFile?.namespace ?? undefined,
    saved,
    given: { args, input, isOfBackup },
  };
}

/** The flags that select the same pods as when the saved plan was made. */
export function selectorFlags({ labelSelector, namespaces }: PlanDocument['selector']) {
  return { selector: labelSelector, allNamespaces: namespaces === undefined, podNamespace: namespaces ?? [] };
}

/** Refuse a saved plan that differs from what would be planned now, and name the differences (R7.6). */
export function requireSame(saved: PlanDocument, now: PlanDocument): void {
  if (saved.digest === now.digest) return;
  const text = (hook: PlanDocument['hooks'][number]) => canonicalJson(hook);
  const was = new Map(saved.hooks.map((hook) => [hook.id, text(hook)]));
  const is = new Map(now.hooks.map((hook) => [hook.id, text(hook)]));
  const lines = [
    ...[...is].filter(([id]) => !was.has(id)).map(([id]) => `+ ${id}`),
    ...[...was].filter(([id]) => !is.has(id)).map(([id]) => `- ${id}`),
    ...[...is].filter(([id, hook]) => was.has(id) && was.get(id) !== hook).map(([id]) => `~ ${id}`),
  ];
  const difference =
    lines.length > 0 ? lines.slice(0, 20).join('\n') : '~ the Restore itself, or the order of its hooks';
  throw new RestoreHooksError(
    'INVALID_INPUT',
    `the saved plan no longer fits; now (+), only in the plan (-), changed (~):\n${difference}`,
    {
      hint: `give apply the flags that plan had (${missingFlags(saved, now)}--only, --rerun and others), or review a fresh plan`,
    },
  );
}

/** The flags that say themselves in a plan (R1.40 to R1.44). */
const FLAG_OF: Readonly<Partial<Record<string, string>>> = {
  'sources-limited': '--sources',
  'hooks-skipped': '--skip',
  'exec-timeout-capped': '--max-exec-timeout',
  'detach-all': '--detach',
} satisfies Partial<Record<NoticeCode, string>>;

/** Which of them the saved plan had, and `apply` has not, or not so: `missing: --hooks, --skip; perhaps `. */
function missingFlags(saved: PlanDocument, now: PlanDocument): string {
  const is = new Set(now.notices.map(canonicalJson));
  const had = saved.notices
    .filter((notice) => !is.has(canonicalJson(notice)))
    .flatMap(({ code }) => FLAG_OF[code] ?? []);
  const hasFile = ({ hooks }: PlanDocument): boolean => hooks.some(({ source }) => source === 'file');
  const flags = [...(hasFile(saved) && !hasFile(now) ? ['--hooks'] : []), ...new Set(had)];
  return flags.length === 0 ? '' : `missing: ${flags.join(', ')}; perhaps `;
}
