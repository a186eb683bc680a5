import { canonicalJson, sha256HexOf } from '../digest.ts';
import { formatDuration, parseDurationMs } from '../model/duration.ts';
import type { Hook, HookId, Retry } from '../model/hook.ts';
import type { Restore } from '../model/restore.ts';
import { API_VERSION } from '../names.ts';
import type { Notice } from './notice.ts';
import type { HookDocument, PlanDocument, RestoreReference } from './plan-document.ts';

type ExecHookDocument = Extract<HookDocument, { readonly kind: 'exec' }>;

// Apart from the schemas in plan-document.ts, of which only their types are needed: making a plan builds no schema.

export interface PlanParts {
  readonly restore: RestoreReference;
  readonly selector: PlanDocument['selector'];
  readonly hooks: readonly Hook[];
  readonly skipped: PlanDocument['skipped'];
  readonly notices: readonly Notice[];
}

export function planDocument({ restore, selector, hooks, skipped, notices }: PlanParts): PlanDocument {
  const documents = hooks.map(hookDocument);
  return {
    apiVersion: API_VERSION,
    kind: 'RestoreHookPlan',
    restore,
    selector,
    digest: planDigest(restore, documents),
    hooks: documents,
    skipped,
    notices: [...notices],
  };
}

export function planDigest({ namespace, name, uid }: RestoreReference, hooks: readonly HookDocument[]): string {
  return `sha256:${sha256HexOf(canonicalPlan({ namespace, name, uid }, hooks))}`;
}

/** Canonical JSON of `{restore, hooks}`, in parts: together they can be very long (R6.30). */
function* canonicalPlan(restore: RestoreReference, hooks: readonly HookDocument[]): Generator<string> {
  yield '{"hooks":[';
  for (const [index, hook] of hooks.entries()) yield `${index === 0 ? '' : ','}${canonicalJson(hook)}`;
  yield `],"restore":${canonicalJson(restore)}}`;
}

/** Where a Restore is, and the objects of its runs; without a `runNamespace`: beside it (R8.80). */
export type RunPlace = Pick<RestoreReference, 'namespace' | 'runNamespace'>;

export function restoreReference({ metadata, spec }: Restore, place: RunPlace): RestoreReference {
  const { runNamespace } = place;
  const namespace = metadata.namespace || place.namespace;
  return {
    namespace,
    name: metadata.name,
    ...(metadata.uid ? { uid: metadata.uid } : {}),
    ...(spec.backupName ? { backup: spec.backupName } : {}),
    ...(runNamespace !== undefined && runNamespace !== namespace ? { runNamespace } : {}),
  };
}

export function hookDocument(hook: Hook): HookDocument {
  const { waitTimeoutMs, ...common } = hook;
  const wait = waitTimeoutMs === null ? {} : { waitTimeout: formatDuration(waitTimeoutMs) };
  if (common.kind === 'init') {
    const { command, ...rest } = common;
    return { ...rest, ...(command === undefined ? {} : { command: [...command] }), ...wait };
  }
  const { execTimeoutMs, command, retry, ...rest } = common;
  const exec = execTimeoutMs === null ? {} : { execTimeout: formatDuration(execTimeoutMs) };
  return { ...rest, command: [...command], ...exec, ...wait, ...(retry && { retry: retryDocument(retry) }) };
}

const retryDocument = ({ attempts, delayMs, maxDelayMs }: Retry): NonNullable<ExecHookDocument['retry']> => ({
  attempts,
  delay: formatDuration(delayMs),
  maxDelay: formatDuration(maxDelayMs),
});

export function plannedHook(document: HookDocument): Hook {
  const { waitTimeout, ...common } = document;
  const base = { id: common.id as HookId, waitTimeoutMs: durationMs(waitTimeout) };
  if (common.kind === 'init') return { ...common, ...base };
  const { execTimeout, retry, ...exec } = common;
  return { ...exec, ...base, execTimeoutMs: durationMs(execTimeout), ...(retry && { retry: plannedRetry(retry) }) };
}

const plannedRetry = ({ attempts, delay, maxDelay }: NonNullable<ExecHookDocument['retry']>): Retry => ({
  attempts,
  delayMs: durationMs(delay) ?? 0,
  maxDelayMs: durationMs(maxDelay) ?? 0,
});

const durationMs = (text: string | undefined): number | null =>
  text === undefined ? null : (parseDurationMs(text) ?? null);
