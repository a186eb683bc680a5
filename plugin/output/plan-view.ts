import type { Injection } from '../../shared/core/model/hook.ts';
import type { HookDocument, PlanDocument } from '../../shared/core/plan/plan-document.ts';
import type { HumanPart, View } from './view.ts';
import { truncate } from './width.ts';

/** The view of a plan. The table is made only when it is printed: a plan can be long. */
export function planView(plan: PlanDocument): View {
  return {
    kind: 'document',
    document: plan,
    get human() {
      return humanParts(plan);
    },
    names: plan.hooks.map(({ id }) => id),
  };
}

/** A table with a row for each hook, then notices and the digest. */
function humanParts(plan: PlanDocument): HumanPart[] {
  const human: HumanPart[] = [];
  if (plan.hooks.length > 0) {
    const own = OWN_COLUMNS.filter(({ of }) => plan.hooks.some((hook) => of(hook) !== undefined));
    const hasWaves = plan.hooks.some((hook) => ownOf(hook).wave !== undefined);
    human.push({
      columns: [
        ...(hasWaves ? [{ title: 'WAVE' }] : []),
        { title: 'POD' },
        { title: 'CONTAINER' },
        { title: 'HOOK' },
        { title: 'COMMAND' },
        { title: 'ON ERROR' },
        { title: 'EXEC TIMEOUT' },
        { title: 'WAIT' },
        { title: 'SOURCE' },
        ...own.map(({ title }) => ({ title, wide: true }) as const),
        { title: 'READY', wide: true },
        { title: 'ID', wide: true },
      ],
      rows: plan.hooks.map((hook) => [
        ...(hasWaves ? [ownOf(hook).wave ?? 0] : []),
        `${hook.namespace}/${hook.pod}`,
        hook.container,
        `${hook.name} (${hook.index})`,
        hook.never === undefined ? what(hook) : `never: ${hook.never}`,
        hook.kind === 'exec' ? hook.onError : undefined,
        hook.kind === 'exec' ? timeout(hook.execTimeout, hook.execTimeoutFrom) : undefined,
        timeout(hook.waitTimeout, hook.waitTimeoutFrom),
        sourceOf(hook),
        ...own.map(({ of, otherwise }) => of(hook) ?? otherwise),
        hook.kind === 'exec' && hook.waitForReady ? 'waits' : 'no',
        hook.id,
      ]),
    });
  }
  human.push(...skippedLines(plan), ...noticeLines(plan), summary(plan), `digest: ${plan.digest}`);
  return human;
}

/** Wide columns of what most plans have nothing of: one is shown if a hook has it (R7.70). */
const OWN_COLUMNS: readonly {
  readonly title: string;
  readonly of: (hook: HookDocument) => string | undefined;
  readonly otherwise: string;
}[] = [
  { title: 'RUN ON', of: (hook) => ownOf(hook).runOn, otherwise: 'all' },
  { title: 'RETRY', of: (hook) => retryText(ownOf(hook)), otherwise: 'no' },
  { title: 'DETACH', of: (hook) => ownOf(hook).detach && 'yes', otherwise: 'no' },
];

const ownOf = (hook: HookDocument): Partial<Extract<HookDocument, { kind: 'exec' }>> =>
  hook.kind === 'exec' ? hook : {};

const retryText = ({ retry }: ReturnType<typeof ownOf>): string | undefined =>
  retry && `${retry.attempts} attempts, ${retry.delay} to ${retry.maxDelay}`;

/** The command of an exec hook; for an init hook, how its container gets into the pod. */
function what(hook: HookDocument): string {
  if (hook.kind === 'exec') return shortened(hook.command);
  const how = { found: 'is in the pod', create: 'pod is created', recreate: 'pod is DELETED and created anew' };
  return `init: ${how[hook.injection ?? 'found']}`;
}

const COMMAND_WIDTH = 40;

function shortened(command: readonly string[]): string {
  return truncate(command.join(' '), COMMAND_WIDTH);
}

const timeout = (value: string | undefined, from: string): string =>
  from === 'default' ? `${value ?? 'none'} (default)` : (value ?? 'none');

const sourceOf = ({ source, origin }: Pick<HookDocument, 'source' | 'origin'>): string =>
  source === 'annotation' ? `annotation (${origin})` : source;

const skippedLines = ({ skipped }: PlanDocument): string[] =>
  skipped.map(({ namespace, pod, reason }) => `skipped ${namespace}/${pod}: ${reason}`);

const MOST_NOTICES = 20;

export function noticeLines({ notices }: Pick<PlanDocument, 'notices'>): string[] {
  const lines = notices.slice(0, MOST_NOTICES).map(({ code, namespace, pod, message }) => {
    const at = pod === undefined ? '' : `${namespace === undefined ? '' : `${namespace}/`}${pod}: `;
    return `notice: ${at}${message} (${code})`;
  });
  if (notices.length > MOST_NOTICES) lines.push(`notice: ${notices.length - MOST_NOTICES} more; see them with -o json`);
  return lines;
}

export function summary({ hooks }: Pick<PlanDocument, 'hooks'>): string {
  const pods = new Set(hooks.map(({ namespace, pod }) => `${namespace}/${pod}`));
  const namespaces = new Set(hooks.map(({ namespace }) => namespace));
  if (hooks.length === 0) return 'no hooks to run';
  const where = `${count(hooks.length, 'hook')} in ${count(pods.size, 'pod')} of ${count(namespaces.size, 'namespace')}`;
  const waves = new Set(hooks.flatMap((hook) => (hook.kind === 'exec' ? [hook.wave ?? 0] : [])));
  const created = podsWith(hooks, 'create');
  const recreated = podsWith(hooks, 'recreate');
  return [
    where,
    ...(waves.size < 2 ? [] : [`in ${waves.size} waves`]),
    ...(created === 0 ? [] : [`${count(created, 'pod')} created`]),
    ...(recreated === 0 ? [] : [`${count(recreated, 'pod')} DELETED and created anew`]),
  ].join(', ');
}

const podsWith = (hooks: readonly HookDocument[], how: Injection): number =>
  new Set(
    hooks.flatMap((hook) => (hook.kind === 'init' && hook.injection === how ? [`${hook.namespace}/${hook.pod}`] : [])),
  ).size;

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
