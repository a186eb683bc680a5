import type { Mutant } from './mutant.ts';
import { mutantsOf } from './mutant.ts';

const history = mutantsOf('shared/core/execute/history.ts');
const retry = mutantsOf('shared/core/ledger/decide-retry.ts');
const apply = mutantsOf('shared/core/ledger/decide-apply.ts');
const decision = mutantsOf('shared/core/ledger/decision.ts');
const deadRows = mutantsOf('shared/core/ledger/rows-of-run.ts');
const deadPolicy = mutantsOf('shared/core/ledger/dead-run-policy.ts');
const begunCommands = mutantsOf('shared/core/ledger/begun-commands.ts');
const commandsLeft = mutantsOf('shared/core/ledger/commands-left.ts');
const taking = mutantsOf('shared/wiring/take-run.ts');
const store = mutantsOf('shared/kubernetes/run/run-store.ts');
const ending = mutantsOf('shared/runtime/ending.ts');
const wishes = mutantsOf('shared/runtime/wishes.ts');
const runWrites = mutantsOf('shared/runtime/run-writes.ts');
const rows = mutantsOf('shared/runtime/rows.ts');
const quiet = mutantsOf('shared/core/execute/lost-commands.ts');

/** What one run leaves to the next, what is told beside the Restore, and what is recorded. */
export const AROUND_THE_EXECUTOR: readonly Mutant[] = [
  /* ---- one run after another ---- */
  retry(
    'R6.6',
    'retry goes on beside a Fail hook that may have failed',
    'rows.some((row) => isLeft(row) && isFail(row.hook))',
    'false',
  ),
  retry(
    'R6.3',
    'retry runs again what may have run when the runner died, under --on-unknown=fail',
    "dead !== undefined && onUnknown === 'fail' && diedWithIt(dead, row)",
    'false',
  ),
  apply(
    'R6.6',
    'apply goes on beside a Fail hook that may have failed',
    'dead && isSame ? stopOf(dead, onUnknown) : undefined',
    'undefined',
  ),
  retry(
    'R6.4',
    'retry starts beside what the run before may have left running',
    "lost: again.filter((row) => row.hook.kind === 'exec' && isLost(row) && ranInItsPod(ledger, row)).map(lostHook),",
    'lost: [],',
  ),
  decision(
    'R6.4',
    'what a run before may have left running began when time did',
    'const since = startedAt ?? finishedAt;',
    'const since = startedAt ?? (0 as typeof finishedAt);',
  ),
  taking(
    'R6.4',
    'a new run does not hear of commands that the one before has left',
    'lost: since,',
    'lost: new Map(),',
  ),
  taking(
    'R6.4',
    'what the run before has left running is not written into the journal',
    "return at === undefined ? [] : [{ kind: 'lost', hook, since: at }];",
    'return [];',
  ),
  deadPolicy(
    'R3.88',
    '--on-unknown decides what becomes of a detached command that is attached to',
    ' && !begun.has(row.hook.id)',
    '',
  ),
  begunCommands(
    'R3.88',
    'what a second run has attached to is looked for by the key of that run',
    'key: key ?? commandKey(',
    'key: commandKey(',
  ),
  decision('R3.88', 'the start that is attached to counts as over', ' && !attached.includes(row)', ''),
  decision(
    'R3.88',
    'a pod is quiet because of the command that is attached to',
    'if (isAttached.has(left.id)) continue;',
    '',
  ),
  taking(
    'R3.88',
    'the next runner of a run that has attached to a command knows nothing of it',
    "return [{ kind: 'intent', hook, tries, at: found, key, ...place }, ...started];",
    'return place === undefined ? started : [];',
  ),
  deadRows(
    'R5.21',
    "what a dead run's journal calls lost was never begun",
    "record?.phase === 'begun' || journal.lost.has(position)",
    "record?.phase === 'begun'",
  ),
  deadRows(
    'R6.1.2',
    "what a dead run's journal calls lost is told by no report, and so by nobody",
    'journal.hooks.has(position) || journal.lost.has(position);',
    'journal.hooks.has(position);',
  ),
  commandsLeft(
    'R6.1.6',
    'a command of an earlier run whose start nobody saw has had its time',
    'const since = row.startedAt ?? row.finishedAt ?? now;',
    'const since = row.startedAt ?? (0 as typeof now);',
  ),
  commandsLeft(
    'R6.1.6',
    'an earlier run has left no commands',
    "if (hook.kind !== 'exec' || !isLost(row)) return [];",
    'return [];',
  ),
  quiet(
    'R6.1.6',
    'a hook starts beside a command that a run before the last has left',
    'let until = quiet?.get(pod);',
    'let until: number | undefined;',
  ),
  /* ---- beside the Restore ---- */
  runWrites(
    'R5.2',
    'a Restore that was deleted stops nothing',
    "else if (tried.is === 'over') this.#course.failAtEnd(DELETED);",
    "else if (tried.is === 'over') void this.#course;",
  ),
  store(
    'R5.2',
    'a Restore that is being deleted stands',
    'if (!standing.isBeingDeleted) return standing;',
    'return standing;',
  ),
  store(
    'R5.2',
    'another Restore of its name is the one that was deleted',
    'if (uid !== undefined && metadata?.uid !== uid) {',
    'if (uid !== undefined && metadata?.uid === undefined) {',
  ),
  wishes(
    'R6.19',
    'the grace of cancel begins anew at every look',
    'this.#dropAt = earliest(this.#dropAt ?? FOREVER, later(this.#clock.now(), cancel.graceMs));',
    'this.#dropAt = later(this.#clock.now(), cancel.graceMs);',
  ),
  wishes('R6.19', 'cancel gives no grace', 'later(this.#clock.now(), cancel.graceMs));', 'this.#clock.now());'),
  wishes(
    'R7.82',
    'at the deadline what runs gets no grace',
    'later(this.#clock.now(), DEADLINE_GRACE_MS)',
    'this.#clock.now()',
  ),
  wishes('R7.82', 'a deadline suspends nothing', 'R7.82\n    this.#suspend();\n', 'R7.82\n'),
  ending(
    'R4.7',
    'an end is told although the counts are not those of the rows',
    'if (run.finishedAt !== undefined) rows.checkSum(run.counts);',
    'if (run.finishedAt !== undefined) void rows;',
  ),
  rows(
    'R4.7',
    'rows that have not ended are an end',
    'if (isSame && counted.waiting === 0 && counted.running === 0) return;',
    'if (isSame) return;',
  ),
  rows(
    'R5.17',
    'successes take the whole budget of output',
    "row.state === 'Succeeded' ? this.outputLimit * SUCCESS_SHARE : this.outputLimit",
    'this.outputLimit',
  ),
  /* ---- what is left out of a history ---- */
  history(
    'R6.31',
    'the text of an error is in a history',
    'return { kind: outcome.kind, message: LEFT_OUT };',
    'return outcome;',
  ),
  history('R6.31', 'the text of a refusal is in a history', 'return { ...outcome, why: LEFT_OUT };', 'return outcome;'),
  history(
    'R6.31',
    'the text of a result is in a history',
    'const { message: _, ...rest } = outcome;',
    'const rest = outcome;',
  ),
  history(
    'R6.31',
    'the text of a failed run is in a history',
    'failure: { code: fact.failure.code, message: LEFT_OUT }',
    'failure: fact.failure',
  ),
  history(
    'R6.31',
    'the text of a pod that could not be created is in a history',
    'left: fact.left, message: LEFT_OUT',
    'left: fact.left, message: fact.message',
  ),
  history(
    'R6.31',
    'why a container waits is in a history',
    'containers: withoutReason(containers) as',
    'containers: containers as',
  ),
];
