import process from 'node:process';
import { createRun } from '../shared/core/execute/state.ts';
import type { Hook, HookId } from '../shared/core/model/hook.ts';
import { podKey } from '../shared/core/model/hook.ts';
import { instant } from '../shared/core/model/instant.ts';
import type { HookExec } from '../shared/ports/ports.ts';
import { startEngine } from '../shared/runtime/engine.ts';
import { execOnly } from '../test/sim/exec-only.ts';
import { forgetfulJournal } from '../test/sim/forgetful-journal.ts';
import { Random } from '../test/sim/random.ts';
import { VirtualClock } from '../test/sim/virtual-clock.ts';

const PODS = 10_000;
const HOOKS_A_POD = 10;
const COMMAND = ['/bin/sh', '-c', 'true'];

const random = new Random(1);
const clock = new VirtualClock();
const hooks = Array.from({ length: PODS }, (_, pod) => hooksOf(pod)).flat();

const from = performance.now();
const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 64 });
const exec: HookExec = {
  start: (_, { started, ended }) => {
    started();
    return clock.setTimer(random.int(1, 2_000), () => ended({ kind: 'exited', exitCode: 0 }, {}));
  },
};
const { tell } = startEngine(run, { clock, exec, journal: forgetfulJournal, ...execOnly }, {});
for (let pod = 0; pod < PODS; pod += 1) {
  const key = podKey(`ns-${pod % 50}`, `pod-${pod}`);
  const see = (running: boolean) => () => {
    const phase = running ? 'Running' : 'Pending';
    const containers = { a: { running, ready: running }, b: { running, ready: running } };
    tell({ type: 'podObserved', pod: { key, uid: `uid-${pod}`, phase, containers } });
  };
  clock.setTimer(0, see(false));
  clock.setTimer(random.int(1, 60_000), see(true));
}
clock.setTimer(0, () => tell({ type: 'podsListed' }));
clock.runUntil(Number.POSITIVE_INFINITY);
const seconds = (performance.now() - from) / 1000;
const peakMiB = process.resourceUsage().maxRSS / 1024;
process.stdout.write(JSON.stringify({ seconds, peakMiB, succeeded: run.counts.succeeded }));

function hooksOf(pod: number): Hook[] {
  const namespace = `ns-${pod % 50}`;
  const name = `pod-${pod}`;
  return Array.from({ length: HOOKS_A_POD }, (_, index) => {
    const container = index < HOOKS_A_POD / 2 ? 'a' : 'b';
    return {
      id: `${namespace}/${name}/${container}/hook/${index}` as HookId,
      kind: 'exec',
      namespace,
      pod: name,
      podUID: `uid-${pod}`,
      container,
      source: 'spec',
      origin: 'velero',
      name: 'hook',
      index,
      command: COMMAND,
      onError: 'Continue',
      execTimeoutMs: 30_000,
      execTimeoutFrom: 'default',
      waitTimeoutMs: null,
      waitTimeoutFrom: 'default',
      waitForReady: false,
    };
  });
}
