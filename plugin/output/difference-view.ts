import type { HookChange, PlanDifference } from '../../shared/core/report/plan-difference.ts';
import type { HumanPart, View } from './view.ts';

const SIGNS: Readonly<Record<HookChange['change'], string>> = { new: '+', changed: '~', gone: '-', unchanged: '=' };
const ORDER = ['new', 'changed', 'gone', 'unchanged'] as const;

/** What has changed in a plan: a line for each hook that is new, changed or gone, and how many are unchanged. */
export function differenceView(difference: PlanDifference, file?: string): View {
  const { hooks, against } = difference;
  const told = hooks.filter(({ change }) => change !== 'unchanged');
  return {
    kind: 'document',
    document: difference,
    get human(): HumanPart[] {
      const since = file ?? (against.runID === undefined ? undefined : `run ${against.runID}`);
      return [
        since === undefined ? 'there has been no run: every hook is new' : `changes since ${since}`,
        ...told.map(changeLine),
        summaryOf(hooks),
        `digest: ${difference.digest}${against.digest === difference.digest ? ', unchanged' : ''}`,
      ];
    },
    names: hooks.filter(({ change }) => change === 'new' || change === 'changed').map(({ id }) => id),
  };
}

function changeLine({ change, id, fields, kept }: HookChange): string {
  const what = [...fields.map(fieldText), ...(kept === undefined ? [] : [`not run again: ${endOf(kept)}`])];
  return `${SIGNS[change]} ${id}${what.length === 0 ? '' : ` (${what.join(', ')})`}`;
}

function fieldText({ field, from, to }: HookChange['fields'][number]): string {
  if (field === 'command' || field === 'containerDigest')
    return field === 'command' ? 'another command' : 'another container';
  if (field === 'podUID') {
    if (to === undefined) return 'its pod is gone';
    return from === undefined ? 'its pod is in the cluster now' : 'another pod';
  }
  return `${field} ${from ?? 'none'} → ${to ?? 'none'}`;
}

const endOf = ({ state, reason, run }: NonNullable<HookChange['kept']>): string =>
  `${state}${reason === undefined ? '' : ` (${reason})`} in run ${run}`;

function summaryOf(hooks: readonly HookChange[]): string {
  const counts = ORDER.map((change) => [hooks.filter((hook) => hook.change === change).length, change] as const);
  const kept = hooks.filter((hook) => hook.kept !== undefined).length;
  const text = counts.map(([count, change]) => `${count} ${change}`).join(', ');
  return kept === 0 ? text : `${text}; apply would not run ${kept} of them again`;
}
