import type { Hook } from '../model/hook.ts';
import { hookDocument, plannedHook } from '../plan/make-plan-document.ts';
import type { PlanDocument } from '../plan/plan-document.ts';
import { VERSION } from '../version.ts';
import type { HookRow } from './hook-row.ts';
import { parseRow, rowDocuments } from './hook-row.ts';
import type { Payload } from './payload.ts';

/** What a runner carries out, in the core's own types. `Payload` is the same as it is stored for a Job. */
export interface RunInput extends Omit<Payload, 'version' | 'pluginVersion' | 'plan' | 'kept'> {
  readonly plan: Omit<PlanDocument, 'hooks'>;
  /** Those of the plan: here only, because there may be very many. */
  readonly hooks: readonly Hook[];
  /** The rows of earlier runs that stand. */
  readonly kept: readonly HookRow[];
}

export const payloadOf = ({ plan, hooks, kept, ...more }: RunInput): Payload => ({
  version: 1,
  pluginVersion: VERSION,
  plan: { ...plan, hooks: hooks.map(hookDocument) },
  kept: rowDocuments(kept),
  ...more,
});

export const parseRunInput = ({
  version: _,
  pluginVersion: __,
  plan: { hooks, ...plan },
  kept,
  ...more
}: Payload): RunInput => ({
  plan,
  hooks: hooks.map(plannedHook),
  kept: kept.map(parseRow),
  ...more,
});
