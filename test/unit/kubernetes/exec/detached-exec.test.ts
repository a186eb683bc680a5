import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecOutcome } from '../../../../shared/core/model/hook.ts';
import { detachingHookExec } from '../../../../shared/kubernetes/exec/detached-exec.ts';
import type { SentRequest } from '../../../../shared/kubernetes/exec/exec.ts';
import { NO_SUCH_COMMAND } from '../../../../shared/kubernetes/exec/exec-outcome.ts';
import type { ContainerState } from '../../../../shared/kubernetes/pods/container-state.ts';
import type { ExecAnswer, ExecRequest, HookExec, Output } from '../../../../shared/ports/ports.ts';

/** One answer to an exec of the script: what it printed, and how the exec ended. */
interface Answer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly outcome?: ExecOutcome;
}

const spoken: ExecOutcome = { kind: 'exited', exitCode: 77 };
const cut: ExecOutcome = { kind: 'connectionLost', message: 'cut' };
const begun = 'restorehooks begun\n';
const ended: Answer = { stdout: `${begun}restorehooks exited 3 0 0\nhi\n`, stderr: 'err\n' };
const restarted = { kind: 'containerRestarted' };

const request: ExecRequest = {
  ...{ namespace: 'app', pod: 'db-0', podUID: 'u', container: 'c', command: ['echo', 'hunter2'] },
  detached: { key: 'run/hook/1', containerID: 'containerd://1', isBegun: false },
};
const found: ExecRequest = {
  ...request,
  detached: { key: 'run/hook/1', containerID: 'containerd://1', isBegun: true },
};

interface World {
  readonly exec: HookExec;
  /** The verb of each exec; a plain one's command. */
  readonly asked: string[];
  readonly requests: SentRequest[];
  /** How often the container was looked at. */
  looks(): number;
}

function world(answers: readonly Answer[], states: readonly ContainerState[] = [], capturedBytes = 4096): World {
  const asked: string[] = [];
  const requests: SentRequest[] = [];
  const left = [...answers];
  const leftStates = [...states];
  const plain = {
    start(sent: SentRequest, answer: ExecAnswer) {
      asked.push(sent.sent?.[4] ?? sent.command.join(' '));
      requests.push(sent);
      const { stdout, stderr, outcome = spoken } = left.shift() ?? assert.fail('an exec too many');
      let isOver = false;
      queueMicrotask(() => {
        if (isOver) return;
        answer.started();
        if (stdout !== undefined) answer.printed?.({ stream: 'stdout', from: 0, text: stdout });
        answer.ended(outcome, { ...(stdout !== undefined && { stdout }), ...(stderr !== undefined && { stderr }) });
      });
      return () => {
        isOver = true;
      };
    },
  };
  let looks = 0;
  const containerState = async () => {
    looks += 1;
    return leftStates.shift() ?? 'runs';
  };
  const timing = { pauseMs: 0, longestPauseMs: 0, statusMs: 0 };
  const exec = detachingHookExec(plain, { containerState, capturedBytes, timing });
  return { exec, asked, requests, looks: () => looks };
}

interface Ran {
  readonly outcome: ExecOutcome;
  readonly output: Output;
  readonly started: number;
}

const run = ({ exec }: World, asked = request, onStarted = (): void => {}): Promise<Ran> =>
  new Promise((resolve) => {
    let started = 0;
    exec.start(asked, {
      started: () => {
        started += 1;
        onStarted();
      },
      ended: (outcome, output) => resolve({ outcome, output, started }),
    });
  });

const exited: Ran = {
  outcome: { kind: 'exited', exitCode: 3 },
  output: { stdout: 'hi\n', stderr: 'err\n' },
  started: 1,
};

test('a command that is not detached is passed on as it is', async () => {
  const { detached: _, ...plain } = request;
  const made = world([{ outcome: { kind: 'exited', exitCode: 0 } }]);
  assert.equal((await run(made, plain)).outcome.kind, 'exited');
  assert.deepEqual(made.requests, [plain]);
});

// R3.70
test("a command's own end is told, in one exec", async () => {
  const made = world([ended]);
  assert.deepEqual(await run(made), exited);
  assert.deepEqual(made.asked, ['start']);
});

// R3.70, R3.71
for (const [what, answer] of [
  ['before it was begun', { outcome: cut }],
  ['after it was begun', { stdout: begun, outcome: cut }],
  ['by a server that takes that for a success', { stdout: begun, outcome: { kind: 'exited', exitCode: 0 } }],
  ['by the death of the shell that waits', { stdout: begun, outcome: { kind: 'exited', exitCode: 137 } }],
] as const) {
  test(`a stream that is cut ${what} is followed by one that attaches`, async () => {
    const made = world([
      answer,
      { outcome: { kind: 'notStarted', why: 'down' } },
      { stdout: 'restorehooks running\n' },
      ended,
    ]);
    assert.deepEqual(await run(made), exited);
    assert.deepEqual(made.asked, ['start', 'attach', 'attach', 'attach']);
    assert.ok(made.requests.slice(1).every(({ sent }) => !sent?.includes('hunter2')));
  });
}

// R3.71
test('what was never begun in the container that still runs is started', async () => {
  const absent = { stdout: 'restorehooks absent\n' };
  const lost = world([{ outcome: cut }, absent, ended]);
  assert.deepEqual(await run(lost), exited);
  assert.deepEqual(lost.asked, ['start', 'attach', 'start']);
  const resumed = world([absent, ended], ['runs']);
  assert.deepEqual(await run(resumed, found), exited);
  assert.deepEqual(resumed.asked, ['attach', 'start']);
});

// R3.78
test('nothing is started in a container that was restarted, or in another pod', async () => {
  const absent = { stdout: 'restorehooks absent\n' };
  for (const [states, kind] of [
    [['over'], 'containerRestarted'],
    [['podGone'], 'podGone'],
    [['unknown', 'unknown', 'over'], 'containerRestarted'],
    [Array<ContainerState>(20).fill('unknown'), 'connectionLost'],
  ] as const) {
    const made = world([absent], states);
    assert.equal((await run(made, found)).outcome.kind, kind);
    assert.deepEqual(made.asked, ['attach']);
  }
  assert.deepEqual((await run(world([{ stdout: begun, outcome: cut }], ['over']))).outcome, restarted);
  assert.deepEqual((await run(world([{ outcome: { kind: 'podDeleted' } }]), found)).outcome, { kind: 'podGone' });
});

// R3.78
test('a command whose exit code is lost is told as lost, with its output', async () => {
  const dead = { stdout: `${begun}restorehooks dead 0 0\nhi\n` };
  const { outcome, output } = await run(world([dead]));
  assert.equal(outcome.kind, 'connectionLost');
  assert.deepEqual(output, { stdout: 'hi\n' });
  assert.deepEqual((await run(world([dead], ['over']))).outcome, restarted);
  const removed = world([{ stdout: begun, outcome: cut }, { stdout: 'restorehooks absent\n' }]);
  assert.match(JSON.stringify((await run(removed)).outcome), /connectionLost.*was removed/);
});

// R3.79
test('a command of an hour whose connection is cut five times takes at most 40 requests', async () => {
  const running = { stdout: `${begun}restorehooks running\n` };
  const cutOff = { stdout: begun, outcome: cut };
  // An hour has twelve waits of five minutes, and each cut ends one early.
  const waits = Array.from({ length: 5 }, () => [cutOff, running, running]).flat();
  const made = world([...waits, running, running, ended]);
  assert.deepEqual(await run(made), exited);
  // The pod is looked at before and after the start, and after each cut; the last request removes the folder.
  const requests = made.asked.length + 2 + made.looks() + 1;
  assert.equal(made.looks(), 5);
  assert.ok(requests <= 40, String(requests));
});

// R3.76
test('what keeps the script from running is told, and that nothing was started', async () => {
  const told = async (answer: Answer) => (await run(world([answer]))).outcome;
  const noShell = {
    kind: 'error',
    message: 'detach needs sh in the container, and there is none; nothing was started',
  };
  assert.deepEqual(await told({ outcome: { kind: 'error', message: NO_SUCH_COMMAND } }), noShell);
  assert.match(
    JSON.stringify(await told({ stdout: 'restorehooks nowhere\n' })),
    /error.*folder to write in.*nothing was/,
  );
  assert.match(
    JSON.stringify(await told({ stdout: 'restorehooks lacks tee\n' })),
    /error.*the program tee.*nothing was/,
  );
  const broken = world(Array<Answer>(20).fill({ outcome: { kind: 'exited', exitCode: 1 }, stderr: 'too long\n' }));
  assert.match(JSON.stringify((await run(broken)).outcome), /error.*sh in the container ended with exit code 1/);
});

test('a refusal before the start is told as it is', async () => {
  for (const outcome of [
    { kind: 'notStarted', why: 'down' },
    { kind: 'podReplaced' },
    { kind: 'noSuchContainer' },
    { kind: 'forbidden', message: 'no' },
    { kind: 'error', message: 'denied by an admission policy: no' },
  ] as const) {
    assert.deepEqual((await run(world([{ outcome }]))).outcome, outcome);
  }
});

// R3.73
test('bytes that are left out count, and the end is kept to the wanted size', async () => {
  const long = { stdout: `${begun}restorehooks exited 0 1000 0\n${'x'.repeat(60)}` };
  assert.deepEqual((await run(world([long]))).output, { stdout: 'x'.repeat(60), stdoutBytes: 1060 });
  assert.deepEqual((await run(world([long], [], 10))).output, { stdout: 'x'.repeat(10), stdoutBytes: 1060 });
  assert.deepEqual((await run(world([long], [], 0))).output, {});
});

// R3.75
test('an end that was asked for is told after nothing is left of the group', async () => {
  const made = world([
    ended,
    { outcome: cut },
    { stdout: 'restorehooks running\n' },
    { stdout: 'restorehooks ended\n' },
  ]);
  const { outcome } = await run(made, request, () => made.exec.end?.(request));
  assert.deepEqual(outcome, { kind: 'exited', exitCode: 3 });
  assert.deepEqual(made.asked, ['start', 'end', 'end', 'end']);
});

// R3.78
test('a command that was seen to start is not started again where nothing is kept of it', async () => {
  const detached = { key: 'run/hook/1', containerID: 'containerd://1', isBegun: true, wasStarted: true };
  const begunBefore: ExecRequest = { ...request, detached };
  const made = world([{ stdout: 'restorehooks absent\n' }]);
  const { outcome } = await run(made, begunBefore);
  assert.equal(outcome.kind, 'connectionLost');
  assert.deepEqual(made.asked, ['attach']);
});

// R3.83
test('a command that an earlier runner has ended is told so', async () => {
  const { outcome } = await run(world([{ stdout: `${begun}restorehooks exited 143 0 0 1\n` }]));
  assert.deepEqual(outcome, { kind: 'exited', exitCode: 143, wasEnded: true });
});

// R3.77
test('what is kept is removed until that is heard', async () => {
  const made = world([{ outcome: cut }, { stdout: 'restorehooks absent\n' }]);
  made.exec.forget?.(request);
  while (made.asked.length < 2) await new Promise((next) => setImmediate(next));
  assert.deepEqual(made.asked, ['forget', 'forget']);
});

test('after it was dropped, nothing is told', async () => {
  const made = world([ended]);
  const told: string[] = [];
  const drop = made.exec.start(request, {
    started: () => told.push('started'),
    dropped: () => told.push('dropped'),
    ended: () => told.push('ended'),
  });
  drop();
  await new Promise((next) => setImmediate(next));
  assert.deepEqual(told, ['dropped']);
});
