import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExecOutcome } from '../../../../shared/core/model/hook.ts';
import { detachingHookExec } from '../../../../shared/kubernetes/exec/detached-exec.ts';
import type { SentRequest } from '../../../../shared/kubernetes/exec/exec.ts';
import type { ExecAnswer, ExecRequest } from '../../../../shared/ports/ports.ts';

const cut: ExecOutcome = { kind: 'connectionLost', message: 'cut' };
const killed: ExecOutcome = { kind: 'exited', exitCode: 137 };
const spoken: ExecOutcome = { kind: 'exited', exitCode: 77 };
const begun = 'restorehooks begun\n';
const absent = 'restorehooks absent\n';
const running = 'restorehooks running\n';
const ended = 'restorehooks exited 0 0 0 \nhi\n';

const requestOf = (isBegun: boolean): ExecRequest => ({
  ...{ namespace: 'app', pod: 'db-0', podUID: 'u', container: 'c', command: ['echo'] },
  detached: { key: 'run/hook/1', containerID: 'containerd://1', isBegun },
});
const turn = () => new Promise((next) => setTimeout(next, 5));

/** Execs that are answered one by one, as `exec.ts` answers: `commandEnded` at each status, and then `ended`. */
function bench(isBegun = false) {
  const asked: { readonly verb: string | undefined; readonly answer: ExecAnswer }[] = [];
  const plain = {
    start(request: SentRequest, answer: ExecAnswer) {
      asked.push({ verb: request.sent?.[4], answer });
      return () => undefined;
    },
  };
  const timing = { pauseMs: 0, longestPauseMs: 0, statusMs: 0 };
  const exec = detachingHookExec(plain, { containerState: async () => 'runs', timing });
  const told: string[] = [];
  const request = requestOf(isBegun);
  exec.start(request, {
    started: () => void told.push('started'),
    commandEnded: () => void told.push('command ended'),
    ended: ({ kind }) => void told.push(kind),
  });
  const print = async (at: number, stdout: string): Promise<void> => {
    const { answer } = asked[at] ?? assert.fail(`there is no exec ${at}`);
    answer.started();
    answer.printed?.({ stream: 'stdout', from: 0, text: stdout });
    await turn();
  };
  const answer = async (at: number, stdout: string, outcome = spoken): Promise<void> => {
    await print(at, stdout);
    const exec = asked[at]?.answer;
    if (outcome.kind !== 'connectionLost') exec?.commandEnded?.();
    exec?.ended(outcome, { stdout });
    await turn();
  };
  return { told, print, answer, end: () => exec.end?.(request), verbs: () => asked.map(({ verb }) => verb) };
}

// R3.83: an exec timeout ends with the command, not with an exec of the script.
describe('the end of a detached command', () => {
  test('is told with its exit code, and not by an exec that waits no longer', async () => {
    const { told, answer } = bench();
    await answer(0, begun, cut);
    await answer(1, `${begun}${running}`);
    assert.deepEqual(told, ['started']);
    await answer(2, `${begun}${ended}`);
    assert.deepEqual(told, ['started', 'command ended', 'exited']);
  });

  test('is not told by the death of the shell that waits, nor by a server that takes that for a success', async () => {
    for (const exitCode of [137, 0]) {
      const { told, answer } = bench();
      await answer(0, begun, { kind: 'exited', exitCode });
      assert.deepEqual(told, ['started']);
    }
  });
});

// R3.83, R3.85
describe('a detached command whose end was asked for', () => {
  test('is not started afterwards, where the request to start it never arrived', async () => {
    const { answer, end, verbs, told } = bench();
    await answer(0, '', cut);
    end();
    await answer(verbs().indexOf('end'), absent);
    await answer(verbs().indexOf('attach'), absent);
    assert.equal(verbs().filter((verb) => verb === 'start').length, 1);
    assert.equal(told.at(-1), 'notStarted');
  });

  test('is ended where it begins after all: the request to start it came late', async () => {
    const { print, answer, end, verbs } = bench();
    end();
    await answer(1, absent);
    await print(0, begun);
    assert.deepEqual(verbs(), ['start', 'end', 'end']);
  });
});

// R3.71, R3.80
describe('a shell that is killed again and again', () => {
  /** What is told after so many execs. */
  async function toldAfter(isBegun: boolean, outcomeOf: (at: number) => ExecOutcome): Promise<string | undefined> {
    const { told, answer, verbs } = bench(isBegun);
    for (let at = 0; at < 15 && at < verbs().length; at += 1) await answer(at, '', outcomeOf(at));
    return told.at(-1);
  }

  test('is no failure of a command that may have been started before', async () => {
    assert.notEqual(await toldAfter(true, () => killed), 'error');
    assert.notEqual(await toldAfter(false, (at) => (at === 0 ? cut : killed)), 'error');
    for (const exitCode of [137, 0]) {
      assert.notEqual(await toldAfter(false, () => ({ kind: 'exited', exitCode })), 'error');
    }
  });

  test('is one where it ends with a code of its own each time', async () => {
    assert.equal(await toldAfter(false, () => ({ kind: 'exited', exitCode: 1 })), 'error');
  });
});
