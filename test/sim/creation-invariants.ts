import type { PodKey } from '../../shared/core/model/hook.ts';
import type { ReportPart, RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import type { CreationWorld, Live, Script } from './creation-world.ts';
import { isOver, joined, partIn, statusOn } from './what-stands.ts';

/**
 * What always holds of the pods that a run creates, each with the rule of docs/contract.md that it checks. It is judged
 * from what became of the pods, and from what stands in the API server.
 *
 * - C1 No pod is lost: one that stood when the run began stands in the end, as it was or created anew, or its hook says
 *      which Secret has its manifest (R2.17).
 * - C2 Only the planned pod is deleted, by its UID, and only once its manifest is kept (R2.17) and the API server has said
 *      that it would take the new one (R2.15).
 * - C3 A pod is created once, whichever runners asked for it (R2.18).
 * - C4 No command runs in a pod that is to be created anew (R2.19).
 * - C5 Hooks tell what became of the pod that stands (R2.21): none is `pod-replaced` or `pod-deleted` by our own hand, none
 *      `NotExecuted` that the pod has run (R2.27).
 * - C6 Every run has an end (R6.15).
 */
export class CreationInvariants {
  broken: string | undefined;
  readonly #world: Pick<CreationWorld, 'clock'>;
  /** How often a pod with its init container came to be. */
  readonly #made = new Map<PodKey, number>();
  /** The manifests in the Secrets that stand. */
  readonly #manifests = new Set<string>();
  readonly #parts: ReportPart[] = [];
  #status: RunStatus | undefined;
  #isCanceled = false;

  constructor(world: Pick<CreationWorld, 'clock'>) {
    this.#world = world;
  }

  canceled(): void {
    this.#isCanceled = true;
  }

  written(path: string, object: KubeObject): void {
    const [, kind, part] = /-(pod|report)-(\d+)$/.exec(path) ?? [];
    if (/\/restores\/[^/]+$/.test(path)) this.#status = statusOn(object) ?? this.#status;
    else if (kind === 'pod') this.#manifests.add((object['stringData'] as Record<string, string>)['pod.json'] ?? '');
    else if (kind === 'report') this.#parts[Number(part)] = partIn(object);
  }

  created({ key, disturbedAt }: Script, { isInjected }: Live): void {
    const made = (this.#made.get(key) ?? 0) + (isInjected ? 1 : 0);
    this.#made.set(key, made);
    this.#check('C3', made <= 1 || disturbedAt !== undefined, () => `${key} is created ${made} times`);
  }

  deleted(script: Script, uid: string): void {
    const { metadata } = (script.former ?? {}) as { metadata?: { uid: string } };
    this.#check('C2', metadata?.uid === uid, () => `${uid} is deleted`);
    this.#check('C2', this.#isKept(script), () => `${uid} is deleted, and its manifest is nowhere`);
    this.#check('C2', script.quota !== 'refuses it', () => `${uid} is deleted for a pod that is refused`);
  }

  executed(script: Script | undefined, live: Live | undefined): void {
    const isAwaited = live?.isInjected !== false || script?.quota !== 'takes all' || script.disturbedAt !== undefined;
    this.#check('C4', isAwaited, () => `a command is run in ${live?.uid}, before its pod is created anew`);
  }

  #isKept({ former }: Script): boolean {
    return this.#manifests.has(JSON.stringify(former));
  }

  atRest(scripts: readonly Script[], pods: ReadonlyMap<PodKey, Live>): void {
    const status = this.#status;
    this.#check('C6', status !== undefined && isOver(status), () => 'the run has no end');
    const parts = this.#parts.slice(0, status?.reportParts);
    const rows = new Map(joined(parts).map((row) => [row.id, row]));
    for (const script of scripts) if (script.disturbedAt === undefined) this.#checkPod(script, pods, rows);
  }

  #checkPod(script: Script, pods: ReadonlyMap<PodKey, Live>, rows: ReadonlyMap<string, RunHook>): void {
    const { key, former, quota, exitCode } = script;
    const live = pods.get(key);
    const row = rows.get(`${key}/load/h/0`);
    const said = `${row?.state} ${row?.reason ?? ''} ${row?.message ?? ''}`;
    const isLostToldOf = this.#isKept(script) && /(its|the) manifest (is )?in (a )?Secret /.test(said);
    this.#check('C1', former === undefined || live !== undefined || isLostToldOf, () => `${key} is lost: ${said}`);
    for (const each of rows.values()) {
      if (!each.id.startsWith(`${key}/`) || quota !== 'takes all') continue;
      const isMistaken = each.reason === 'pod-replaced' || each.reason === 'pod-deleted';
      this.#check('C5', !isMistaken, () => `${each.id} is ${each.reason}, and nobody touched its pod`);
    }
    if (live?.isInjected === true) {
      const isSeen = exitCode === 0 ? row?.state === 'Succeeded' : row?.state === 'Failed' && row.exitCode === exitCode;
      const isGivenUp = this.#isCanceled && row?.state === 'Unknown' && row.reason === 'canceled';
      this.#check('C5', isSeen || isGivenUp, () => `${live.uid} ended with ${exitCode}, and its hook is ${said}`);
    } else {
      this.#check('C5', row?.state === 'NotExecuted', () => `${key} was not injected, and its hook is ${said}`);
      this.#check('C5', quota !== 'takes all' || this.#isCanceled, () => `${key} was not created: ${said}`);
    }
  }

  #check(invariant: string, holds: boolean, what: () => string): void {
    if (!holds) this.broken ??= `${invariant} is broken at ${this.#world.clock.now()}: ${what()}`;
  }
}
