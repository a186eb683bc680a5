import { isFinalPhase } from '../../shared/core/execute/run-phase.ts';
import { openWaveText } from '../../shared/core/report/open-wave.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
import { endText } from './failures.ts';
import { runEnd } from './run-end.ts';
import type { RowOptions } from './run-rows.ts';
import { chosenHooks, hookTable, NOT_PROVEN, shownText } from './run-rows.ts';
import type { HumanPart, View } from './view.ts';

/** With more hooks than this, the table of a run that was followed would scroll everything else away (R7.38). */
const LONGEST_TABLE = 20;

/**
 * The view of a run: how far it has come, a row for each hook or for those that the options choose, and at the end what
 * failed, the verdict and what to do now. The rows of a long table of a followed run are shown only with `-o wide` or `--wide`.
 */
export function runView(run: RunDocument, options: RowOptions = {}): View {
  const hooks = chosenHooks(run, options);
  return {
    kind: 'document',
    document: { ...run, hooks },
    get human() {
      return humanParts(run, hooks, options);
    },
    names: hooks.map(({ id }) => id),
  };
}

/** `run` as a whole, `hooks` those of it that are shown. */
function humanParts(run: RunDocument, hooks: readonly RunHook[], options: RowOptions): HumanPart[] {
  const isLong = options.followed === true && !options.wide && hooks.length > LONGEST_TABLE;
  const table = hooks.length === 0 ? [] : [{ ...hookTable(hooks, options), ...(isLong && { wide: true as const }) }];
  if (options.noHeaders) return table;
  const { namespace, name } = run.restore;
  if (run.phase === undefined) return [`no run of Restore ${namespace}/${name} yet`];
  const shown = shownText(run, hooks.length, options);
  return [
    `restore   ${namespace}/${name}`,
    `run       ${run.runID} (${run.runner?.kind} ${run.runner?.name}, attempt ${run.attempt})`,
    `phase     ${run.phase}${run.message ? `: ${run.message}` : ''}`,
    ...(run.counts ? [`progress  ${progressLine(run.counts)}`] : []),
    ...(run.openWave ? [`wave      ${openWaveText(run.openWave)}`] : []),
    `started   ${run.startedAt ?? 'not yet'}${run.finishedAt ? `, finished ${run.finishedAt}` : ''}`,
    ...(run.deadline === undefined ? [] : [`deadline  ${run.deadline}`]),
    ...(run.notices ?? []).map((notice) => `notice    ${notice}`),
    ...(lags(run) ? ['rows      as last reported; the counts are newer'] : []),
    ...(shown === undefined ? [] : [`shown     ${shown}`]),
    ...table,
    ...runEnd(run, options.isGone),
  ];
}

/** While a run goes on, its status is written more often than its report. */
function lags({ counts, hooks, phase = 'Pending' }: RunDocument): boolean {
  if (counts === undefined || isFinalPhase(phase) || hooks.length !== counts.planned) return false;
  const inState = (state: RunHook['state']): number => hooks.filter((hook) => hook.state === state).length;
  return inState('Waiting') !== counts.waiting || inState('Running') !== counts.running;
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
