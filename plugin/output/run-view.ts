import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
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

/** The view of a run: how far it has come, and a row for each hook. */
export function runView(run: RunDocument): View {
  return { kind: 'document', document: run, human: humanParts(run), names: run.hooks.map(({ id }) => id) };
}

function humanParts(run: RunDocument): HumanPart[] {
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
  if (run.hooks.length === 0) return head;
  return [
    ...head,
    {
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
  ];
}

const NOT_PROVEN = 'not proven: the server speaks only v5.channel.k8s.io';

function elapsed({ startedAt, finishedAt }: RunHook): string | undefined {
  if (startedAt === undefined || finishedAt === undefined) return undefined;
  return `${((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000).toFixed(1)}s`;
}

/** A line about a hook whose state has changed. */
export function eventLine(row: RunHook): string {
  const exit = row.exitCode === undefined || row.state === 'Succeeded' ? '' : ` ${row.exitCode}`;
  const reason = row.reason === undefined ? '' : ` (${row.reason}${exit})`;
  const message = row.message === undefined ? '' : `: ${row.message}`;
  const proof = row.unproven ? ` (${NOT_PROVEN})` : '';
  return `${row.state} ${row.id}${reason}${proof}${message}`;
}
