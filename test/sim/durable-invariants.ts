import type { ExecHook, ExecOutcome, HookId } from '../../shared/core/model/hook.ts';
import type { Shard } from '../../shared/core/model/shard.ts';
import type { Payload } from '../../shared/core/report/payload.ts';
import type { ReportPart, RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import type { ShardStatus } from '../../shared/core/report/shard-status.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import type { DurableWorld } from './durable-world.ts';
import type { ToldOutcome } from './told-journal.ts';
import { ToldJournal } from './told-journal.ts';
import { isAhead, isOver, joined, keyOf, numberOf, partIn, statusOn } from './what-stands.ts';

/** A runner. */
interface Asker {
  readonly id: string;
  readonly runID: string;
  readonly isSuspended: boolean;
  readonly shard: Shard | undefined;
}

/** One request to run a command, as the world knows it. */
interface Asked {
  run: string;
  readonly runner: string;
  readonly at: number;
  startedAt: number | undefined;
  outcome: ExecOutcome | undefined;
  endedAt: number | undefined;
}

interface RunRecord {
  /** Of each shard; a run that is not divided has one. */
  readonly journals: readonly ToldJournal[];
  /** Of each shard's report, in the order of their numbers. */
  readonly parts: readonly ReportPart[][];
  /** When a shard first told the others of a hook that stops the run. */
  stopTold: number | undefined;
  final: RunStatus | undefined;
  failed: HookId | undefined;
  readonly isRetry: boolean;
  readonly kept: ReadonlySet<string>;
}

/** Two runners' clocks differ by this much at the most. */
const SKEW_MS = 1_500;

/**
 * What always holds of the runs of a Restore, whichever runners carry them out, each with the rule of docs/contract.md
 * that it checks. It is judged from what the containers were asked for and from what stands in the API server, never from
 * what a runner believes.
 *
 * - D1  No hook is started twice (R6.2), but for one that provably did not start (R6.1), with `--on-unknown=rerun` (R6.3),
 *       and what `retry` is asked to run again (R6.25).
 * - D2  No hook is started without a durable intent for it in its run's journal (R6.1).
 * - D3  Two commands never run at the same time in one pod, whichever runners started them, until the first's exec timeout
 *       is over (R3.10, R6.4), also if its connection was lost (R4.5); hooks of a container start in plan order (R3.7).
 * - D4  Once it is durable that a `Fail` hook did not succeed by itself, no runner of the run starts anything, and the run
 *       is `PartiallyFailed` (R3.22, R6.6). No run is made after one whose runner died while a `Fail` hook had begun, unless
 *       `--on-unknown=rerun` (R6.6).
 * - D5  A runner starts nothing once another has taken its journal, or it was asked to end (R6.14).
 * - D6  A hook that has succeeded, or is kept, is never started by a later run (R6.1.4).
 * - D7  Nothing is reported better than it was seen: a success exited with 0, a hook that may have been executed is never
 *       `NotExecuted` (R4.6); planned is the sum of the outcomes in every status (R4.7); report, journal and counts agree at
 *       the end (R5.13).
 * - D8  After the end of a run nothing of it starts, and its status never changes (R5.12).
 * - D9  Once nothing dies any more, and what waits for ever has been canceled, every run has an end (R6.15). None is
 *       canceled that nobody canceled (R6.16).
 * - D10 A result once written never changes (R6.2): the journal, read batch by batch as it grows, is always whole (R6.8),
 *       and no hook goes on after its end.
 * - D11 No hook starts after its wait timeout, counted from when its run first saw its pod, whichever runner that was
 *       (R6.5), or from when its wave has opened, if that is later; and none has waited too long before that (R3.44).
 * - D12 No hook starts, in any runner, before it is durable that every hook of every lower wave has ended in its run, or is
 *       kept (R3.41); and none once one of these has ended because the run was canceled (R8.47).
 * - D13 A hook that certainly failed is started again as often as it has attempts in its run, each time after its pause,
 *       whichever runners made the starts (R3.51, R3.54).
 * - D14 A detached command is started once for each start of its hook, nothing starts beside it while it lives, and what is
 *       told of its hook is what it came to, whichever runners died meanwhile (R3.80, R3.81, R3.83).
 * - D15 Once a shard has told that a `Fail` hook did not succeed, the other shards start nothing after two seconds, or a
 *       minute if their requests fail (R8.46). Whatever D4, D5 and D12 say holds over all shards of a run (R8.47).
 */
export class DurableInvariants {
  broken: string | undefined;
  readonly #world: DurableWorld;
  readonly #asked = new Map<HookId, Asked[]>();
  readonly #runs = new Map<string, RunRecord>();
  readonly #claims = new Map<string, number>();
  readonly #positions: ReadonlyMap<HookId, number>;
  /** By which detached commands were started. */
  readonly #keys = new Set<string>();
  /** Hooks whose detached command runs in its container. */
  readonly #isAlive = new Set<HookId>();
  /** What a detached command came to, whoever saw it. */
  readonly #truth = new Map<HookId, ExecOutcome>();
  /** The pods in which detached commands were started, and of which of them another pod had the name at the answer. */
  readonly #startedIn = new Map<HookId, string | undefined>();
  readonly #replaced = new Set<HookId>();
  #settled = false;
  #cancelAsked = false;

  constructor(world: DurableWorld) {
    this.#world = world;
    this.#positions = new Map(world.world.hooks.map(({ id }, position) => [id, position]));
    this.planned(world.payload, 'run1', false);
  }

  /** A run is made that has something to start. */
  planned({ plan, kept }: Payload, runID: string, isRetry: boolean): void {
    this.#checkMayFollow(
      [...this.#runs].findLast(([, { journals }]) => journals.some(({ claims }) => claims > 0)),
      runID,
    );
    const of = this.#world.shardsOf(runID);
    const head = { runID, planDigest: plan.digest, hooks: plan.hooks.length };
    const shards = of === 1 ? [undefined] : Array.from({ length: of }, (_, index) => ({ index, of }));
    this.#runs.set(runID, {
      journals: shards.map((shard) => new ToldJournal({ ...head, ...(shard && { shard }) })),
      parts: shards.map(() => []),
      stopTold: undefined,
      final: undefined,
      failed: undefined,
      isRetry,
      kept: new Set(kept.map(({ id }) => id)),
    });
  }

  /** Nothing goes on beside a `Fail` hook that may have failed when its runner died. */
  #checkMayFollow(before: [string, RunRecord] | undefined, runID: string): void {
    if (before === undefined || this.#world.onUnknown === 'rerun') return;
    const [id, { journals, final }] = before;
    for (const [position, { phase }] of final === undefined ? journals.flatMap(({ hooks }) => [...hooks]) : []) {
      const hook = this.#world.world.hooks[position];
      const isOpen = phase === 'begun' && hook?.onError === 'Fail' && !hook.detach;
      this.#check('D4', !isOpen, () => `${runID} is made although ${hook?.id} may have failed in ${id}`);
    }
  }

  claimed(runner: string, claims: number): void {
    this.#claims.set(runner, claims);
  }

  cancelAsked(): void {
    this.#cancelAsked = true;
  }

  settled(rows: readonly RunHook[]): void {
    this.#settled = true;
    this.#checkRows(rows);
  }

  /* ---- commands ---- */

  asked({ id: runner, runID: run, isSuspended, shard }: Asker, hook: ExecHook): Asked {
    const { id } = hook;
    this.#check('D5', !isSuspended, () => `${runner} starts ${id} although it was asked to end`);
    const now = this.#now;
    const record = this.#run(run);
    const before = this.#of(id);
    for (const other of before) {
      const isProvablyNot = ['notStarted', 'podDeleted', 'noSuchContainer'].includes(other.outcome?.kind ?? '');
      const runs = [...this.#runs];
      const since = runs.slice(runs.findIndex(([runID]) => runID === other.run) + 1);
      const mayAgain =
        isProvablyNot ||
        (this.#world.onUnknown === 'rerun' && other.runner !== runner) ||
        (other.run === run && hasFailed(other)) ||
        since.some(([, { isRetry }]) => isRetry);
      this.#check('D1', mayAgain, () => `${id} is started by ${other.runner}, and again by ${runner}`);
    }
    const failed = before.filter((other) => other.run === run && hasFailed(other));
    this.#checkTries(hook, failed);
    const position = this.#positions.get(id) ?? -1;
    const durable = told(record, position);
    this.#check('D2', durable?.phase === 'begun', () => `${id} starts, durable is ${JSON.stringify(durable)}`);
    this.#checkPod(hook, record);
    const since = this.#waitsSince(hook, record);
    const isLate = since !== undefined && now >= since + (hook.waitTimeoutMs ?? Number.POSITIVE_INFINITY) + SKEW_MS;
    const isFirst = failed.length === 0;
    this.#check('D11', !isLate || !isFirst, () => `${id} starts after its wait timeout: it has waited since ${since}`);
    for (const other of this.#below(hook)) {
      this.#check(
        'D12',
        this.#hasEnded(record, other.id) && !this.#isCanceled(record, other.id),
        () => `${id} starts before ${other.id} of a lower wave ends`,
      );
    }
    const { failed: failHook, stopTold = Number.POSITIVE_INFINITY } = record;
    const isStopped = failHook !== undefined && this.#shardOf(run, failHook) === shard?.index;
    this.#check('D4', !isStopped, () => `${id} starts although ${failHook} failed`);
    const stopBy = stopTold + (this.#world.api.isTroubled ? 60_000 : 2_000 + 4 * this.#world.api.latencyMs);
    this.#check(
      'D15',
      now < stopBy,
      () => `${id} starts although ${failHook} failed: the others know since ${stopTold}`,
    );
    const { claims, closedBy } = record.journals[shard?.index ?? 0] ?? {};
    const isLast = claims === this.#claims.get(runner) && closedBy === undefined;
    this.#check('D5', isLast, () => `${runner} starts ${id} although ${run} was taken over`);
    this.#check('D6', !record.kept.has(id), () => `${id} is kept, and started`);
    for (const each of this.#runs.values()) {
      const known = told(each, position);
      const hasSucceeded = known?.phase === 'ended' && known.outcome.state === 'Succeeded';
      this.#check('D6', !hasSucceeded, () => `${id} has succeeded, and is started`);
    }
    this.#check('D8', record.final === undefined, () => `${id} starts after the end of ${run}`);
    const asked: Asked = { run, runner, at: now, startedAt: undefined, outcome: undefined, endedAt: undefined };
    before.push(asked);
    return asked;
  }

  #checkTries({ id, retry, waitTimeoutMs }: ExecHook, failed: readonly Asked[]): void {
    const last = failed.at(-1)?.endedAt;
    // What a runner saw that died before it wrote it down doesn't count for the next one.
    if (last === undefined || this.#world.onUnknown === 'rerun') return;
    const { attempts, delayMs, maxDelayMs } = retry ?? { attempts: 1, delayMs: 0, maxDelayMs: 0 };
    this.#check('D13', failed.length < attempts, () => `${id} has failed ${failed.length} times, and starts again`);
    const from = last + Math.min(maxDelayMs, delayMs * 2 ** (failed.length - 1)) - SKEW_MS;
    this.#check('D13', this.#now >= from, () => `${id} starts again before ${from}`);
    const end = from + 2 * SKEW_MS + (waitTimeoutMs ?? Number.POSITIVE_INFINITY);
    this.#check('D11', this.#now < end, () => `${id} starts again after its wait timeout: it has waited since ${from}`);
  }

  /** The hooks of lower waves. */
  #below(hook: ExecHook): readonly ExecHook[] {
    return this.#world.world.hooks.filter((other) => numberOf(other) < numberOf(hook));
  }

  /** When its pod had been seen and its wave had opened, as the journal tells both. */
  #waitsSince(hook: ExecHook, record: RunRecord): number | undefined {
    const seen = record.journals.map(({ seen: pods, runID }, index) =>
      pods.get(this.#world.podsOf(runID, index).indexOf(keyOf(hook))),
    );
    const seenAt = seen.find((at) => at !== undefined);
    const ends = this.#below(hook).map(({ id }) => told(record, this.#positions.get(id) ?? -1));
    if (seenAt === undefined) return undefined;
    return Math.max(seenAt, ...ends.map((end) => (end?.phase === 'ended' ? end.endedAt : 0)));
  }

  #checkPod(hook: ExecHook, record: RunRecord): void {
    const key = keyOf(hook);
    for (const other of this.#world.world.hooks) {
      if (keyOf(other) !== key) continue;
      for (const { at, startedAt = at, endedAt } of this.#of(other.id)) {
        if (endedAt !== undefined) continue;
        const until = startedAt + (other.execTimeoutMs ?? Number.POSITIVE_INFINITY);
        this.#check(
          'D3',
          this.#now >= until - SKEW_MS,
          () => `${hook.id} starts beside ${other.id}, which may run until ${until}`,
        );
      }
      const isBehind = other.container === hook.container && isAhead(other, hook);
      if (isBehind) {
        this.#check('D3', this.#hasEnded(record, other.id), () => `${hook.id} starts before ${other.id}`);
      }
    }
  }

  /** In this very run: what it runs again has not ended by having ended before. */
  #hasEnded(record: RunRecord, id: HookId): boolean {
    return record.kept.has(id) || told(record, this.#positions.get(id) ?? -1)?.phase === 'ended';
  }

  #isCanceled(record: RunRecord, id: HookId): boolean {
    const known = told(record, this.#positions.get(id) ?? -1);
    return known?.phase === 'ended' && known.outcome.reason === 'canceled';
  }

  /** Undefined: the run is not divided. */
  #shardOf(runID: string, id: string): number | undefined {
    const of = this.#world.shardsOf(runID);
    const hook = this.#world.world.hooks[this.#positions.get(id as HookId) ?? -1];
    if (of === 1 || hook === undefined) return undefined;
    return Array.from({ length: of }, (_, index) => index).find((index) =>
      this.#world.podsOf(runID, index).includes(keyOf(hook)),
    );
  }

  /** A runner goes on with what an earlier one has begun, also in another run (R3.81, R3.88). */
  attaching({ id: runner, runID, isSuspended }: Asker, hook: ExecHook): Asked {
    this.#check('D5', !isSuspended, () => `${runner} attaches to ${hook.id} although it was asked to end`);
    const before = this.#of(hook.id);
    const asked = before.at(-1);
    // Its runner died between the intent and the start: it is started now.
    if (asked === undefined) {
      const first: Asked = {
        run: runID,
        runner,
        at: this.#now,
        startedAt: undefined,
        outcome: undefined,
        endedAt: undefined,
      };
      before.push(first);
      return first;
    }
    asked.run = runID;
    return asked;
  }

  /** A detached command begins in its container. */
  began(hook: ExecHook, key: string): void {
    this.#check('D14', !this.#keys.has(key), () => `${hook.id} is started twice as ${key}`);
    this.#keys.add(key);
    for (const other of this.#world.world.hooks) {
      if (keyOf(other) !== keyOf(hook) || other.id === hook.id) continue;
      this.#check('D14', !this.#isAlive.has(other.id), () => `${hook.id} begins beside ${other.id}`);
    }
    this.#isAlive.add(hook.id);
    this.#truth.delete(hook.id);
    this.#startedIn.set(hook.id, this.#podUIDOf(hook));
    this.#replaced.delete(hook.id);
  }

  over({ id }: ExecHook, outcome: ExecOutcome): void {
    this.#isAlive.delete(id);
    this.#truth.set(id, outcome);
    const asked = this.#of(id).at(-1);
    if (asked !== undefined) asked.endedAt ??= this.#now;
  }

  /** What became of a detached command is what is told of its hook (R3.81, R3.83). */
  #checkDetached({ id, state, reason, exitCode }: RunHook): void {
    const truth = this.#truth.get(id as HookId);
    if (truth === undefined) {
      this.#check('D14', state !== 'Succeeded', () => `${id} has succeeded, and has not ended`);
      return;
    }
    const isEnded = truth.kind === 'exited' && truth.exitCode === 143;
    const allowed: string[] =
      truth.kind === 'containerRestarted'
        ? ['Failed container-restarted']
        : truth.kind === 'podGone'
          ? [...GONE, 'Failed container-restarted']
          : isEnded
            ? ['TimedOut executing', 'Failed canceled']
            : truth.kind === 'exited' && truth.exitCode === 0
              ? ['Succeeded undefined', 'TimedOut executing', 'Failed canceled']
              : ['Failed exit', 'TimedOut executing', 'Failed canceled'];
    // No runner was there to see it: its pod went meanwhile.
    if (this.#world.runners.length > 1) allowed.push(...GONE);
    // An exit code that is told when another pod has the name is nobody's (R3.28).
    if (truth.kind === 'exited' && this.#replaced.has(id as HookId)) allowed.push('Unknown pod-replaced');
    const isIt = allowed.includes(`${state} ${reason}`) && (reason !== 'exit' || exitCode === 3);
    this.#check('D14', isIt, () => `${id} is ${state} (${reason}), and came to ${JSON.stringify(truth)}`);
  }

  #podUIDOf(hook: ExecHook): string | undefined {
    return this.#world.world.containerOf(hook)?.uid;
  }

  started(asked: Asked): void {
    asked.startedAt = this.#now;
  }

  /** A stream that is lost, or dropped, has no end: its command goes on. */
  ended(hook: ExecHook, asked: Asked, outcome: ExecOutcome): void {
    asked.outcome = outcome;
    const podUID = this.#podUIDOf(hook);
    if (podUID !== undefined && podUID !== this.#startedIn.get(hook.id)) this.#replaced.add(hook.id);
    const isLost =
      outcome.kind === 'connectionLost' || (outcome.kind === 'notStarted' && asked.startedAt !== undefined);
    if (!isLost) asked.endedAt = this.#now;
  }

  /* ---- what stands ---- */

  written(path: string, object: KubeObject): void {
    try {
      const [, runID = '', shard = '0', kind, part] = /-(run\d+)(?:-s(\d+))?-(journal|report)-(\d+)$/.exec(path) ?? [];
      const [, divided = ''] = /-(run\d+)-shards$/.exec(path) ?? [];
      if (kind === 'journal') this.#journal(runID, Number(shard), object);
      else if (kind === 'report') this.#report(runID, Number(shard), Number(part), object);
      else if (divided !== '') this.#board(divided, object);
      else if (/\/restores\/[^/]+$/.test(path)) this.#restore(object);
    } catch (error) {
      this.broken ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  }

  #board(runID: string, object: KubeObject): void {
    const data = Object.entries((object['data'] ?? {}) as Record<string, string>);
    const isStopped = data.some(
      ([key, text]) => /^shard-/.test(key) && (JSON.parse(text) as ShardStatus).told.stop !== undefined,
    );
    if (isStopped) this.#run(runID).stopTold ??= this.#now;
  }

  #journal(runID: string, shard: number, object: KubeObject): void {
    const record = this.#run(runID);
    const journal = record.journals[shard];
    if (journal === undefined) throw new Error(`${runID} has no shard ${shard}`);
    // Reading on throws where a result that was written changes, or a hook is begun twice by one runner.
    for (const { hook: position, outcome } of journal.readOn((object['data'] ?? {}) as Record<string, string>)) {
      const isCanceled = outcome.reason === 'canceled';
      this.#check('D9', !isCanceled || this.#cancelAsked, () => `hook ${position} is canceled, and nobody asked`);
      const hook = this.#world.world.hooks[position];
      if (hook?.onError === 'Fail' && isOwnFailure(outcome)) record.failed ??= hook.id;
      const since = hook && this.#waitsSince(hook, record);
      const isEarly = outcome.reason === 'waiting' && this.#now < (since ?? 0) + (hook?.waitTimeoutMs ?? 0) - SKEW_MS;
      this.#check('D11', !isEarly, () => `${hook?.id} has waited too long, and only since ${since}`);
      if (isCanceled && hook !== undefined) this.#givenUp(runID, hook.id);
    }
  }

  #report(runID: string, shard: number, part: number, object: KubeObject): void {
    const parts = this.#run(runID).parts[shard] ?? [];
    this.#check(
      'D10',
      part === parts.length,
      () => `part ${part} of a report is written, and there are ${parts.length}`,
    );
    parts.push(partIn(object));
  }

  /** Somebody who gave a run up, and asks for more of it, is not kept waiting by what was given up. */
  #givenUp(run: string, hook: HookId): void {
    for (const asked of this.#of(hook)) if (asked.run === run) asked.endedAt ??= this.#now;
  }

  #restore(object: KubeObject): void {
    const status = statusOn(object);
    if (status === undefined) return;
    const record = this.#run(status.runID);
    const { planned, ...parts } = status.counts;
    const sum = Object.values(parts).reduce((total, part) => total + part, 0);
    this.#check('D7', sum === planned, () => `${planned} planned, ${sum} counted`);
    const before = record.final;
    const isSame = before === undefined || JSON.stringify(before) === JSON.stringify(status);
    this.#check(
      'D8',
      isSame,
      () =>
        `the status of ${status.runID} changes after its end: ${JSON.stringify(before)} to ${JSON.stringify(status)}`,
    );
    if (isOver(status)) record.final = status;
  }

  /* ---- at rest ---- */

  atRest(runID: string): void {
    const record = this.#run(runID);
    if (record.final === undefined) {
      const standing = this.#world.runners.map(({ id, alive, exit }) => `${id} ${alive ? 'lives' : exit}`).join(', ');
      this.#check('D9', this.#settled, () => `${runID} has no end: ${standing}`);
      return;
    }
    if (record.final.phase === 'Failed') return;
    const { counts, phase } = record.final;
    const { reportParts, shards = [reportParts] } = record.final;
    const sumOfParts = shards.reduce((sum, each) => sum + each, 0);
    this.#check(
      'D7',
      sumOfParts === reportParts,
      () => `${reportParts} parts of a report, ${sumOfParts} of the shards`,
    );
    const rows = joined(record.parts.flatMap((parts, shard) => parts.slice(0, shards[shard])));
    const isInOrder = rows.every(({ id }, position) => this.#positions.get(id as HookId) === position);
    this.#check('D7', isInOrder, () => 'the rows are not in plan order');
    this.#check('D7', rows.length === counts.planned, () => `${rows.length} rows of ${counts.planned}`);
    const succeeded = rows.filter(({ state }) => state === 'Succeeded').length;
    this.#check('D7', succeeded === counts.succeeded, () => `${succeeded} rows succeeded, ${counts.succeeded} counted`);
    if (phase === 'Completed') this.#check('D7', succeeded === rows.length, () => 'Completed, but not all succeeded');
    this.#check('D4', record.failed === undefined || phase === 'PartiallyFailed', () => `${phase} after a Fail`);
    this.#check('D9', phase !== 'Canceled' || this.#cancelAsked, () => 'Canceled, and nobody asked');
    this.#checkRows(rows);
    for (const row of rows) {
      if (row.kind !== 'exec' || !row.detach) continue;
      if (this.#runs.size === 1) this.#checkDetached(row);
      // What another run has left is attached to, or its pod is gone (R3.88). Without the board nobody knows what was left.
      const isLeft = row.reason === 'runner-died' && !this.#world.isBoardLost;
      this.#check('D14', !isLeft, () => `${row.id} was attached to by nobody`);
    }
    for (const [position, row] of rows.entries()) {
      if (record.kept.has(row.id)) continue;
      const known = told(record, position);
      const state = known?.phase === 'ended' ? known.outcome.state : known?.phase;
      // Of a shard that nobody had taken readers ask the journal, which tells what earlier runs have left there, and take
      // what it doesn't tell for never started (R8.45).
      const isUntaken = shards[this.#shardOf(runID, row.id) ?? 0] === 0;
      if (isUntaken && row.state === 'Waiting' && ['NotExecuted', 'begun'].includes(state ?? 'NotExecuted')) continue;
      this.#check('D7', state === row.state, () => `${row.id} is ${row.state} in the report, ${state} in the journal`);
    }
  }

  /** A row says no more than what the world knows. */
  #checkRows(rows: readonly RunHook[]): void {
    for (const { id, state, reason, exitCode } of rows) {
      const asked = this.#of(id as HookId);
      const exits = asked.flatMap(({ outcome }) => (outcome?.kind === 'exited' ? [outcome.exitCode] : []));
      if (state === 'Succeeded') this.#check('D7', exits.includes(0), () => `${id} never exited with 0`);
      if (state === 'Failed' && reason === 'exit') {
        this.#check('D7', exits.includes(exitCode ?? -1), () => `${id} never exited with ${exitCode}`);
      }
      const last = asked.at(-1);
      const mayHaveRun = last !== undefined && (last.startedAt !== undefined || last.outcome === undefined);
      const isProvablyNot = last?.outcome?.kind === 'notStarted' || last?.outcome?.kind === 'podDeleted';
      const isNever = state === 'NotExecuted' || (state === 'TimedOut' && reason === 'waiting');
      if (isNever && !this.#isRetried) {
        this.#check('D7', !mayHaveRun || isProvablyNot, () => `${id} is ${state}, and may have been executed`);
      }
    }
  }

  get #isRetried(): boolean {
    return [...this.#runs.values()].some(({ isRetry }) => isRetry);
  }

  get #now(): number {
    return this.#world.world.clock.now();
  }

  #of(id: HookId): Asked[] {
    let asked = this.#asked.get(id);
    if (asked === undefined) {
      asked = [];
      this.#asked.set(id, asked);
    }
    return asked;
  }

  #run(runID: string): RunRecord {
    const record = this.#runs.get(runID);
    if (record === undefined) throw new Error(`no run ${runID}`);
    return record;
  }

  #check(invariant: string, holds: boolean, what: () => string): void {
    if (holds) return;
    this.broken ??= `${invariant} is broken at ${this.#now}: ${what()}`;
  }
}

/** What the run's journals tell of the hook at a position of the plan. */
/** What earlier runs have left stands in the first shard's journal, too: its own shard's says more. */
const told = ({ journals }: RunRecord, position: number) =>
  journals.map(({ hooks }) => hooks.get(position)).findLast((hook) => hook !== undefined);

const GONE = ['Unknown pod-deleted', 'Unknown pod-replaced', 'Unknown pod-finished'];

/** It has certainly ended, and not well. */
const hasFailed = ({ outcome }: Asked): boolean =>
  outcome?.kind === 'error' || (outcome?.kind === 'exited' && outcome.exitCode !== 0);

const isOwnFailure = ({ state, reason }: ToldOutcome): boolean =>
  state !== 'Succeeded' && reason !== 'aborted' && reason !== 'canceled';
