import { canonicalJson, sha256Hex } from '../digest.ts';
import type { HookId, PlannedHook } from '../hook.ts';
import { formatDuration, parseDurationMs } from '../model/duration.ts';
import type { Restore } from '../model/restore.ts';
import { API_VERSION } from '../names.ts';
import type { Notice } from '../plan/notice.ts';
import type { HookDocument, PlanDocument, RestoreReference } from './plan-document.ts';

// Apart from the schemas in plan-document.ts, of which only their types are needed: making a plan builds no schema.

export interface PlanParts {
  readonly restore: RestoreReference;
  readonly selector: PlanDocument['selector'];
  readonly hooks: readonly PlannedHook[];
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
  return `sha256:${sha256Hex(canonicalJson({ restore: { namespace, name, uid }, hooks }))}`;
}

export const restoreReference = ({ metadata, spec }: Restore, namespace: string): RestoreReference => ({
  namespace: metadata.namespace || namespace,
  name: metadata.name,
  ...(metadata.uid ? { uid: metadata.uid } : {}),
  ...(spec.backupName ? { backup: spec.backupName } : {}),
});

export function hookDocument({ execTimeoutMs, waitTimeoutMs, command, ...hook }: PlannedHook): HookDocument {
  return {
    ...hook,
    command: [...command],
    ...(execTimeoutMs === null ? {} : { execTimeout: formatDuration(execTimeoutMs) }),
    ...(waitTimeoutMs === null ? {} : { waitTimeout: formatDuration(waitTimeoutMs) }),
  };
}

export function plannedHook({ id, execTimeout, waitTimeout, podUID, never, ...hook }: HookDocument): PlannedHook {
  return {
    ...hook,
    id: id as HookId,
    execTimeoutMs: execTimeout === undefined ? null : (parseDurationMs(execTimeout) ?? null),
    waitTimeoutMs: waitTimeout === undefined ? null : (parseDurationMs(waitTimeout) ?? null),
    ...(podUID === undefined ? {} : { podUID }),
    ...(never === undefined ? {} : { never }),
  };
}
