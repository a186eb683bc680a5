import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
import { endText } from './failures.ts';
import { runEnd } from './run-end.ts';
import type { Color, HumanPart, View } from './view.ts';

const COLORS: Readonly<Record<RunHook['state'], Color | undefined>> = {
  Waiting: 'dim',
  Running: undefined,
  Succeeded: 'green',
  Failed: 'red',
  TimedOut: 'red',
  NotExecuted: 'yellow',
  Unknown: 'red',
};

/** With more hooks than this, the table of a run that was followed would scroll everything else away (R7.38). */
const LONGEST_TABLE = 20;

/**
 * The view of a run: how far it has come, a row for each hook, and at the end what failed, the verdict and what to do
 * now. `followed`: the rows of a long table are shown only with `-o wide`.
 */
export function runView(run: RunDocument, { followed = false } = {}): View {
  return {
    kind: 'document',
    document: run,
    get human() {
      return humanParts(run, followed && run.hooks.length > LONGEST_TABLE);
    },
    names: run.hooks.map(({ id }) => id),
  };
}

function humanParts(run: RunDocument, isLong: boolean): HumanPart[] {
  const { namespace, name } = run.restore;
  if (run.phase === undefined) return [`no run of Restore ${namespace}/${name} yet`];
  const head = [
    `restore   ${namespace}/${name}`,
    `run       ${run.runID} (${run.runner?.kind} ${run.runner?.name}, attempt ${run.attempt})`,
    `phase     ${run.phase}${run.message ? `: ${run.message}` : ''}`,
    ...(run.counts ? [`progress  ${progressLine(run.counts)}`] : []),
    `started   ${run.startedAt ?? 'not yet'}${run.finishedAt ? `, finished ${run.finishedAt}` : ''}`,
    ...(run.notices ?? []).map((notice) => `notice    ${notice}`),
  ];
  if (run.hooks.length === 0) return [...head, ...runEnd(run)];
  return [
    ...head,
    {
      ...(isLong && { wide: true }),
      columns: [
        { title: 'POD' },
        { title: 'CONTAINER' },
        { title: 'HOOK' },
        { title: 'STATE', color: (cell) => COLORS[cell as RunHook['state']] },
        { title: 'REASON' },
        { title: 'EXIT' },
        { title: 'TIME' },
        { title: 'MESSAGE' },
        { title: 'ID', wide: true },
      ],
      rows: run.hooks.map((hook) => [
        `${hook.namespace}/${hook.pod}`,
        hook.container,
        `${hook.name} (${hook.index})`,
        hook.state,
        hook.reason,
        hook.exitCode,
        elapsed(hook),
        hook.message ?? (hook.unproven && NOT_PROVEN),
        hook.id,
      ]),
    },
    ...runEnd(run),
  ];
}

const NOT_PROVEN = 'not proven: the server speaks only v5.channel.k8s.io';

function elapsed({ startedAt, finishedAt }: RunHook): string | undefined {
  if (startedAt === undefined || finishedAt === undefined) return undefined;
  return `${((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000).toFixed(1)}s`;
}

/**
 * A line about a hook whose state has changed: time, state, id, reason, message. `now`: the time of a hook that has
 * neither begun nor ended (R7.37).
 */
export function eventLine(row: RunHook, now: string): string {
  const at = row.finishedAt ?? row.startedAt ?? now;
  const message = row.message === undefined ? '' : `: ${row.message}`;
  const proof = row.unproven ? ` (${NOT_PROVEN})` : '';
  return `${at} ${row.state} ${row.id}${endText(row).slice(row.state.length)}${proof}${message}`;
}
