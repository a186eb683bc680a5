import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
import type { RowOptions } from './run-rows.ts';
import { chosenHooks, hookTable, NOT_PROVEN, shownText } from './run-rows.ts';
import type { HumanPart, View } from './view.ts';

/** The view of a run: how far it has come, and a row for each hook, or for those that the options choose. */
export function runView(run: RunDocument, options: RowOptions = {}): View {
  const hooks = chosenHooks(run, options);
  return {
    kind: 'document',
    document: { ...run, hooks },
    human: humanParts(run, hooks, options),
    names: hooks.map(({ id }) => id),
  };
}

/** `run` as a whole, `hooks` those of it that are shown. */
function humanParts(run: RunDocument, hooks: readonly RunHook[], options: RowOptions): HumanPart[] {
  const table = hooks.length === 0 ? [] : [hookTable(hooks, options)];
  if (options.noHeaders) return table;
  const { namespace, name } = run.restore;
  if (run.phase === undefined) return [`no run of Restore ${namespace}/${name} yet`];
  const shown = shownText(run, hooks.length, options);
  return [
    `restore   ${namespace}/${name}`,
    `run       ${run.runID} (${run.runner?.kind} ${run.runner?.name}, attempt ${run.attempt})`,
    `phase     ${run.phase}${run.message ? `: ${run.message}` : ''}`,
    ...(run.counts ? [`progress  ${progressLine(run.counts)}`] : []),
    `started   ${run.startedAt ?? 'not yet'}${run.finishedAt ? `, finished ${run.finishedAt}` : ''}`,
    ...(run.notices ?? []).map((notice) => `notice    ${notice}`),
    ...(shown === undefined ? [] : [`shown     ${shown}`]),
    ...table,
  ];
}

/** A line about a hook whose state has changed. */
export function eventLine(row: RunHook): string {
  const exit = row.exitCode === undefined || row.state === 'Succeeded' ? '' : ` ${row.exitCode}`;
  const reason = row.reason === undefined ? '' : ` (${row.reason}${exit})`;
  const message = row.message === undefined ? '' : `: ${row.message}`;
  const proof = row.unproven ? ` (${NOT_PROVEN})` : '';
  return `${row.state} ${row.id}${reason}${proof}${message}`;
}
