import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connections } from '../../shared/kubernetes/connect/connection.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import type { Scene, Suite } from '../e2e/harness.ts';
import { isReal, sh, startSuite, waitFor } from '../e2e/harness.ts';
import type { Told } from '../exec-rule.ts';
import { breach, faultsAt, inParallel, ProxiedExec } from '../exec-rule.ts';

/**
 * Cuts execs on a real API server, kubelet and runtime: a hook that was started must never be reported as not started.
 * The cuts are at every so many bytes of the TLS stream (test/embedded/exec-bytes.test.ts cuts plain text at every byte).
 * Starts are counted in the containers.
 */

const skip = !isReal && 'needs a cluster: npm run test:cluster';
const PODS = ['web-0', 'web-1', 'web-2', 'web-3'];
/** containerd's shim stalls with many commands in one container. */
const WIDTH = 4 * PODS.length;

describe('an exec behind a network that breaks', { skip }, () => {
  let e2e: Suite;
  let scene: Scene;
  const connected = connections(loadKubeConfig({ env: process.env }));
  before(async () => {
    e2e = await startSuite();
    scene = await e2e.scene('bytes');
    await Promise.all(PODS.map((pod) => scene.pod(pod)));
  });
  after(async () => {
    connected.close();
    await e2e?.close();
  });

  /** How often each tag was started, read once the number no longer grows. */
  async function startsIn(): Promise<Map<string, number>> {
    const lines = async () => (await Promise.all(PODS.map((pod) => scene.marks(pod, 'main', 'starts')))).flat();
    let last = await lines();
    for (let same = 0; same < 3; ) {
      const now = await lines();
      same = now.length === last.length ? same + 1 : 0;
      last = now;
    }
    return new Map(last.map((tag) => [tag, last.filter((each) => each === tag).length]));
  }

  it('is never told as not started where it was, nor as ended where its status did not come', async () => {
    const { server, headers, tls } = await connected.open();
    const at = { host: server.hostname, port: Number(server.port) || 443, headers, tls };
    const patient = new ProxiedExec(at);
    const impatient = new ProxiedExec(at, { connectMs: 2_000, answerMs: 2_000, pingMs: 1_000 });
    const request = (tag: string, pod: string) => ({
      namespace: scene.namespace,
      pod,
      container: 'main',
      command: sh(`echo ${tag} >> starts; echo out; exit 3`),
    });
    const { outcome, passed } = await waitFor('a command to run', async () => {
      const whole = await patient.run(request('whole', 'web-0'), undefined, true);
      return whole.outcome.kind === 'exited' && whole;
    });
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 3 });
    assert.ok(passed);
    const { up, down } = passed;
    const faults = [
      ...faultsAt('up', up.length, ['reset', 'finish'], 61),
      ...faultsAt('down', down.length, ['reset', 'finish'], 61),
      ...faultsAt('up', up.length, ['dead', 'stall'], 307),
      ...faultsAt('down', down.length, ['dead', 'stall'], 307),
    ];
    const told: (readonly [string, Told])[] = [];
    await inParallel(faults, WIDTH, async (fault, index) => {
      const tag = `tag-${index}`;
      const isWaited = fault.does === 'dead' || fault.does === 'stall';
      const asked = request(tag, PODS[index % PODS.length] ?? '');
      told.push([tag, await (isWaited ? impatient : patient).run(asked, fault)]);
    });
    const starts = await startsIn();
    const breaches = told.flatMap(([tag, one]) => {
      const broken = breach(one, starts.get(tag) ?? 0, 3);
      return broken === undefined ? [] : [`${JSON.stringify(one.fault)}: ${broken}`];
    });
    assert.deepEqual(breaches, []);
    assert.equal(told.length, faults.length);
    const kinds = new Set(told.map(([, { outcome }]) => outcome.kind));
    assert.deepEqual([...kinds].sort(), ['connectionLost', 'exited', 'notStarted']);
  });
});
