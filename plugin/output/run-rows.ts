import { closest } from '../../shared/core/closest.ts';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { isFailure } from './failures.ts';
import type { Color, Table } from './view.ts';

/** The states of `status --state`, and the columns of `--sort-by`. */
export const STATES = ['Waiting', 'Running', 'Succeeded', 'Failed', 'TimedOut', 'NotExecuted', 'Unknown'] as const;
export const SORTS = [
  'pod',
  'container',
  'hook',
  'state',
  'reason',
  'exit',
  'time',
  'started',
  'finished',
  'attempt',
  'wave',
] as const;

/** Which of a run's hooks are shown, in what order and with which columns. */
export interface RowOptions {
  readonly failed?: boolean;
  readonly state?: readonly string[];
  /** As `NAMESPACE/POD` or `POD`. */
  readonly pod?: readonly string[];
  readonly sortBy?: (typeof SORTS)[number] | undefined;
  readonly wide?: boolean;
  readonly noHeaders?: boolean;
  /** Milliseconds since 1970, for the time that running hooks have taken so far. */
  readonly now?: number;
  /** The run was followed: a pod that it doesn't have is no reason not to show how it ended. */
  readonly followed?: boolean;
  /** Its Restore doesn't exist any more, so no command can be told that goes on with it. */
  readonly isGone?: boolean;
}

/** The hooks that the flags choose, in their order (R7.53). Throws for a pod that the run doesn't have. */
export function chosenHooks(
  run: RunDocument,
  { failed = false, state = [], pod = [], sortBy, followed }: RowOptions,
): RunHook[] {
  if (!followed) requirePods(run, pod);
  const pods = new Set(pod);
  const states = new Set<string>(state);
  const chosen = run.hooks.filter(
    (hook) =>
      (!failed || isFailure(hook)) &&
      (states.size === 0 || states.has(hook.state)) &&
      (pods.size === 0 || pods.has(hook.pod) || pods.has(`${hook.namespace}/${hook.pod}`)),
  );
  return sortBy === undefined ? chosen : chosen.sort(ORDERS[sortBy]);
}

/** While rows are missing (a run without a report yet), a pod may be one of those. */
function requirePods({ hooks, counts }: RunDocument, wanted: readonly string[]): void {
  if (hooks.length < (counts?.planned ?? 0)) return;
  const known = new Set(hooks.flatMap(({ namespace, pod }) => [pod, `${namespace}/${pod}`]));
  for (const pod of wanted) {
    if (known.has(pod)) continue;
    const near = closest(pod, known);
    throw new RestoreHooksError('INVALID_ARGUMENT', `--pod ${pod}: the run has no such pod`, {
      hint: near === undefined ? 'see its pods without --pod' : `did you mean ${near}?`,
    });
  }
}

/** `3 of 60 hooks`, with the flags that chose them; undefined if they chose all. */
export function shownText(
  run: RunDocument,
  shown: number,
  { failed, state = [], pod = [] }: RowOptions,
): string | undefined {
  if (shown === run.hooks.length) return undefined;
  const flags = [
    ...(failed ? ['--failed'] : []),
    ...state.map((each) => `--state ${each}`),
    ...pod.map((each) => `--pod ${each}`),
  ];
  return `${shown} of ${run.counts?.planned ?? run.hooks.length} hooks (${flags.join(', ')})`;
}

const STATE_ORDER = ['Failed', 'TimedOut', 'Unknown', 'NotExecuted', 'Running', 'Waiting', 'Succeeded'];

type Order = (one: RunHook, other: RunHook) => number;
/** What has no value comes last. */
const by =
  (cellOf: (hook: RunHook) => string | number | undefined): Order =>
  (one, other) => {
    const [a, b] = [cellOf(one), cellOf(other)];
    if (a === b) return 0;
    if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
    return a < b ? -1 : 1;
  };

/** Init hooks have none. */
function numberOfWave(hook: RunHook): number | undefined {
  return hook.kind === 'exec' ? (hook.wave ?? 0) : undefined;
}

const ORDERS: Readonly<Record<(typeof SORTS)[number], Order>> = {
  pod: by(({ namespace, pod }) => `${namespace}/${pod}`),
  container: by(({ container }) => container),
  hook: by(({ name, index }) => `${name} ${String(index).padStart(6, '0')}`),
  state: by(({ state }) => STATE_ORDER.indexOf(state)),
  reason: by(({ reason }) => reason),
  exit: by(({ exitCode }) => (exitCode === undefined ? undefined : -exitCode)),
  time: by((hook) => {
    const ms = took(hook, undefined);
    return ms === undefined ? undefined : -ms;
  }),
  started: by(({ startedAt }) => startedAt),
  finished: by(({ finishedAt }) => finishedAt),
  attempt: by(({ attempt }) => attempt),
  wave: by(numberOfWave),
};

const COLORS: Readonly<Record<RunHook['state'], Color | undefined>> = {
  Waiting: 'dim',
  Running: undefined,
  Succeeded: 'green',
  Failed: 'red',
  TimedOut: 'red',
  NotExecuted: 'yellow',
  Unknown: 'red',
};

/** A row for each hook. */
export function hookTable(hooks: readonly RunHook[], { wide = false, noHeaders = false, now }: RowOptions): Table {
  const onlyWide = wide ? {} : ({ wide: true } as const);
  return {
    ...(noHeaders && { noHeader: true }),
    columns: [
      { title: 'POD' },
      { title: 'CONTAINER' },
      { title: 'HOOK' },
      { title: 'STATE', color: (cell) => COLORS[cell as RunHook['state']] },
      { title: 'REASON' },
      { title: 'EXIT' },
      { title: 'WAVE', ...onlyWide },
      { title: 'ATTEMPT', ...onlyWide },
      { title: 'STARTED', ...onlyWide },
      { title: 'TIME' },
      { title: 'MESSAGE' },
      { title: 'ID', ...onlyWide },
    ],
    rows: hooks.map((hook) => [
      `${hook.namespace}/${hook.pod}`,
      hook.container,
      `${hook.name} (${hook.index})`,
      hook.state,
      hook.reason,
      hook.exitCode,
      numberOfWave(hook),
      hook.attempt,
      hook.startedAt,
      timeText(took(hook, now)),
      hook.message ?? (hook.unproven && NOT_PROVEN),
      hook.id,
    ]),
  };
}

export const NOT_PROVEN = 'not proven: the server speaks only v5.channel.k8s.io';

/** How long a hook has run, in milliseconds: one that runs, until now. */
function took({ startedAt, finishedAt, state }: RunHook, now: number | undefined): number | undefined {
  const end = finishedAt === undefined ? (state === 'Running' ? now : undefined) : Date.parse(finishedAt);
  return startedAt === undefined || end === undefined ? undefined : Math.max(0, end - Date.parse(startedAt));
}

const timeText = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : `${(ms / 1000).toFixed(1)}s`;
