import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import type { PodKey } from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import type { KubeClient, Page, Query } from '../../../../shared/kubernetes/api/client.ts';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';
import type { WatchEnd, WatchEvent } from '../../../../shared/kubernetes/api/watch-stream.ts';
import { podObservation } from '../../../../shared/kubernetes/pods/pod-observation.ts';
import { kubernetesPodSource } from '../../../../shared/kubernetes/pods/pod-source.ts';
import type { PodEvent } from '../../../../shared/ports/ports.ts';

const pod = (name: string, uid = `u-${name}`, more: { rv?: string; deletionTimestamp?: string } = {}): KubeObject => ({
  metadata: {
    namespace: 'n',
    name,
    uid,
    resourceVersion: more.rv ?? '1',
    ...(more.deletionTimestamp && { deletionTimestamp: more.deletionTimestamp }),
  },
  status: { phase: 'Running' },
});
const page = (items: KubeObject[], resourceVersion: string, restarted = false): Page => ({
  items,
  resourceVersion,
  restarted,
});
const server = new URL('https://api');
const noPod = JSON.stringify({ kind: 'Status', reason: 'NotFound', details: { name: 'p', kind: 'pods' } });
const request = 'GET /api/v1/namespaces/n/pods/p';
const refusal = (status: number, retryAfterMs?: number) =>
  refusedByServer({
    status,
    body: status === 404 ? noPod : '',
    server,
    request,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
const vague404 = refusedByServer({ status: 404, body: '404 page not found\n', server, request });

interface HeldWatch {
  readonly path: string;
  readonly event: (event: WatchEvent) => void;
  readonly end: (end: WatchEnd) => void;
  stopped: boolean;
}

/** A client whose lists and GETs are scripted, and whose watches the test holds. */
function scriptedClient(lists: (Page[] | RestoreHooksError)[]) {
  const queries: Query[] = [];
  const gets: (KubeObject | RestoreHooksError)[] = [];
  const watches: HeldWatch[] = [];
  let forgotten = 0;
  const client: Pick<KubeClient, 'list' | 'watch' | 'get' | 'forgetCredentials'> = {
    async *list() {
      const next = lists.shift() ?? [];
      if (next instanceof RestoreHooksError) throw next;
      yield* next;
    },
    watch(path, query, event, end) {
      const watch = { path, event, end, stopped: false };
      queries.push(query);
      watches.push(watch);
      return () => {
        watch.stopped = true;
      };
    },
    async get() {
      const next = gets.shift() ?? refusal(404);
      if (next instanceof RestoreHooksError) throw next;
      return next;
    },
    forgetCredentials() {
      forgotten += 1;
    },
  };
  return { client, queries, gets, watches, forgotten: () => forgotten };
}

/** A source of pods with a scripted client. Timers fire when the test says so. */
function bed(lists: (Page[] | RestoreHooksError)[], namespaces?: string[], planned?: ReadonlyMap<PodKey, string>) {
  const told: string[] = [];
  const { client, ...scripted } = scriptedClient(lists);
  const timers: { ms: number; fire: () => void }[] = [];
  let now = 0;
  const source = kubernetesPodSource(client, {
    labelSelector: 'a=b',
    ...(namespaces && { namespaces }),
    ...(planned && { planned }),
    random: () => 0.5,
    clock: {
      now: () => instant(now),
      setTimer(ms, fire) {
        const timer = { ms, fire };
        timers.push(timer);
        return () => {
          if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
        };
      },
    },
  });
  const stop = source.start((event) => told.push(line(event)));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    ...scripted,
    timers,
    stop,
    settle,
    later: (ms: number) => {
      now += ms;
    },
    async fire() {
      const [timer] = timers.splice(0, 1);
      assert.ok(timer, 'no timer is set');
      now += timer.ms;
      timer.fire();
      await settle();
      return timer.ms;
    },
    async told() {
      await settle();
      return told.splice(0);
    },
  };
}

function line(event: PodEvent): string {
  if (event.type === 'podObserved') return `observed ${event.pod.key} ${event.pod.uid}`;
  if (event.type === 'podDeleted') return `deleted ${event.key} ${event.uid}`;
  return event.type === 'podsLost' ? `lost ${event.error.code}` : event.type;
}

describe('kubernetesPodSource', () => {
  it('lists all pages, then watches from there and resumes from the last bookmark', async () => {
    const b = bed([[page([pod('a')], '7'), page([pod('b')], '7')]]);
    assert.deepEqual(await b.told(), ['observed n/a u-a', 'observed n/b u-b', 'podsListed']);
    assert.deepEqual(b.queries, [
      { labelSelector: 'a=b', resourceVersion: '7', allowWatchBookmarks: true, timeoutSeconds: 450 },
    ]);
    b.watches[0]?.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } });
    b.watches[0]?.end({});
    assert.deepEqual(await b.told(), []);
    assert.equal(b.queries[1]?.['resourceVersion'], '9');
    b.stop();
    assert.equal(b.watches[1]?.stopped, true);
  });

  it('tells of pods that come, change, go, and of one replaced under its name', async () => {
    const b = bed([[page([], '1')]]);
    await b.told();
    b.watches[0]?.event({ type: 'ADDED', object: pod('a') });
    b.watches[0]?.event({ type: 'MODIFIED', object: pod('a') });
    b.watches[0]?.event({ type: 'ADDED', object: pod('a', 'new') });
    b.watches[0]?.event({ type: 'DELETED', object: pod('a', 'new', { deletionTimestamp: 'now' }) });
    b.watches[0]?.event({ type: 'ADDED', object: { metadata: {} } });
    assert.deepEqual(await b.told(), [
      'observed n/a u-a',
      'observed n/a u-a',
      'deleted n/a u-a',
      'observed n/a new',
      'deleted n/a new',
    ]);
  });

  it('lists again on 410, as an answer and as an event, and asks for what is missing before it is believed gone', async () => {
    const b = bed([
      [page([pod('a'), pod('b'), pod('c')], '1')],
      [page([pod('a', 'new')], '5')],
      [page([pod('a', 'new')], '6')],
    ]);
    await b.told();
    b.gets.push(refusal(404), pod('c'));
    b.watches[0]?.end({ error: refusal(410) });
    assert.deepEqual(await b.told(), ['deleted n/a u-a', 'observed n/a new', 'deleted n/b u-b', 'observed n/c u-c']);
    assert.equal(b.queries[1]?.['resourceVersion'], '5');
    b.watches[1]?.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '5' } } });
    b.watches[1]?.end({ error: refusal(410) });
    assert.deepEqual(await b.told(), ['observed n/a new']);
    assert.equal(b.queries[2]?.['resourceVersion'], '6');
  });

  // R3.27
  it('follows a pod that only lost its label, one GET at a time, until it is gone', async () => {
    const b = bed([[page([pod('a')], '1')]]);
    await b.told();
    b.gets.push(pod('a'), refusal(500), pod('a'), pod('a', 'another'));
    b.watches[0]?.event({ type: 'DELETED', object: pod('a') });
    assert.deepEqual(await b.told(), ['observed n/a u-a']);
    assert.deepEqual([await b.fire(), await b.fire()], [500, 1000]);
    assert.deepEqual(await b.told(), ['observed n/a u-a']);
    await b.fire();
    assert.deepEqual(await b.told(), ['observed n/a another', 'deleted n/a u-a']);
    assert.deepEqual(b.timers, []);
  });

  // R3.26, R3.27
  it('asks for each planned pod that the first listing lacks before the pods are listed', async () => {
    const planned = new Map(['a', 'gone', 'unlabelled', 'other'].map((name) => [podKey('n', name), `u-${name}`]));
    const b = bed([[page([pod('a')], '1')]], undefined, planned);
    // The API server is busy at first, and then answers with a 404 that names no object, which proves nothing.
    b.gets.push(refusal(503), vague404, pod('other', 'another'));
    assert.deepEqual(await b.told(), ['observed n/a u-a', 'observed n/other another']);
    assert.equal(b.watches.length, 1);
    b.gets.push(pod('unlabelled'), refusal(404));
    await b.fire();
    await b.fire();
    const told = await b.told();
    assert.deepEqual(told.slice().sort(), ['observed n/unlabelled u-unlabelled', 'podsListed']);
    assert.equal(told.at(-1), 'podsListed');
  });

  it('leaves a pod to the watch again that gets its label back', async () => {
    const b = bed([[page([pod('a')], '1')]]);
    await b.told();
    b.gets.push(pod('a'));
    b.watches[0]?.event({ type: 'DELETED', object: pod('a') });
    await b.told();
    b.watches[0]?.event({ type: 'ADDED', object: pod('a') });
    await b.fire();
    assert.deepEqual(await b.told(), ['observed n/a u-a']);
    assert.deepEqual(b.timers, []);
  });

  it('backs off from failures, honours Retry-After, and is patient again after a good watch', async () => {
    const b = bed([refusal(500), refusal(503, 7000), [page([], '1')]]);
    await b.settle();
    assert.deepEqual([await b.fire(), await b.fire()], [500, 7000]);
    assert.deepEqual(await b.told(), ['podsListed']);
    b.later(60_000);
    b.watches[0]?.end({ error: refusal(500) });
    await b.settle();
    assert.equal(await b.fire(), 500);
    b.watches[1]?.end({});
    await b.settle();
    assert.equal(await b.fire(), 1000);
  });

  it('gives up where it is forbidden, after another try with credentials read anew', async () => {
    const b = bed([refusal(403), refusal(403)]);
    await b.settle();
    await b.fire();
    assert.deepEqual(await b.told(), ['lost FORBIDDEN']);
    assert.equal(b.forgotten(), 1);
    assert.deepEqual([b.timers, b.watches], [[], []]);
  });

  // R8.11
  it('is listed when every namespace is', async () => {
    const b = bed([[page([pod('a')], '1')], refusal(500), [page([], '2')]], ['n', 'm']);
    assert.deepEqual(await b.told(), ['observed n/a u-a']);
    await b.fire();
    assert.deepEqual(await b.told(), ['podsListed']);
    assert.deepEqual(
      b.watches.map(({ path }) => path),
      ['/api/v1/namespaces/n/pods', '/api/v1/namespaces/m/pods'],
    );
  });

  it('ends the process with what a handler throws', () => {
    const source = new URL('../../../../shared/kubernetes/pods/pod-source.ts', import.meta.url);
    const script = `
      const { kubernetesPodSource } = await import(${JSON.stringify(source)});
      const client = { async *list() { yield { items: [], resourceVersion: '1', restarted: false }; }, watch: () => () => {} };
      kubernetesPodSource(client, { labelSelector: '', clock: {} }).start(() => { throw new Error('a bug there'); });
      setTimeout(() => {}, 5000);`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /a bug there/);
  });
});

describe('podObservation', () => {
  // R2.22
  it("goes by an init container's own rules and policy, before the pod's, whether it is tried again", () => {
    const rule = (operator: string, ...values: number[]) => ({ action: 'Restart', exitCodes: { operator, values } });
    for (const [ofPod, own, rules, exitCode, isOver] of [
      ['Never', undefined, undefined, 3, true],
      ['Never', 'OnFailure', undefined, 3, false],
      ['Never', 'OnFailure', undefined, 0, true],
      ['Always', 'Never', undefined, 3, true],
      ['Always', 'Never', [rule('In', 3, 4)], 3, false],
      ['Always', 'Never', [rule('In', 3, 4)], 5, true],
      ['Never', 'Never', [rule('NotIn', 3), rule('In', 9)], 3, true],
      ['Never', 'Never', [rule('NotIn', 3)], 4, false],
      ['OnFailure', undefined, undefined, 3, false],
    ] as const) {
      const container = { name: 'i', ...(own && { restartPolicy: own }), ...(rules && { restartPolicyRules: rules }) };
      const status = (phase: string) => ({
        metadata: { namespace: 'n', name: 'p', uid: 'u' },
        spec: { restartPolicy: ofPod, containers: [{ name: 'a' }], initContainers: [container] },
        status: { phase, initContainerStatuses: [{ name: 'i', state: { terminated: { exitCode } } }] },
      });
      const what = JSON.stringify([ofPod, container, exitCode]);
      assert.equal(podObservation(status('Pending'))?.initContainers?.['i']?.isOver, isOver, what);
      assert.equal(podObservation(status('Failed'))?.initContainers?.['i']?.isOver, true, what);
    }
  });

  it('says how an init container ended, beyond its exit code, and whether it is tried again', () => {
    const observed = (terminated: object, restartPolicy: string, more: object = {}) =>
      podObservation({
        metadata: { namespace: 'n', name: 'p', uid: 'u' },
        spec: { restartPolicy, containers: [{ name: 'a' }], initContainers: [{ name: 'i' }] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [{ name: 'i', restartCount: 2, ...more, state: { terminated } }],
        },
      })?.initContainers?.['i'];
    const { reason, exitCode, isOver, restarts } = observed({ reason: 'Error', exitCode: 143 }, 'Never') ?? {};
    assert.deepEqual([reason, exitCode, isOver, restarts], ['signal 15', 143, true, 2]);
    assert.equal(observed({ reason: 'OOMKilled', exitCode: 137 }, 'Never')?.reason, 'OOMKilled');
    assert.equal(observed({ reason: 'Error', exitCode: 3 }, 'Never')?.reason, undefined);
    assert.equal(observed({ reason: 'Error', exitCode: 3 }, 'Always')?.isOver, false);
    assert.equal(observed({ reason: 'Completed', exitCode: 0 }, 'OnFailure')?.isOver, true);
  });

  // R3.15
  it('tells containers that commands can be run in from those that end first', () => {
    const running = { running: { startedAt: '2026-01-01T00:00:00Z' } };
    assert.deepEqual(
      podObservation({
        metadata: { namespace: 'n', name: 'p', uid: 'u' },
        spec: {
          containers: [{ name: 'a' }, { name: 'b' }],
          initContainers: [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }],
        },
        status: {
          phase: 'Running',
          containerStatuses: [
            { name: 'a', ready: true, state: running },
            { name: 'b', ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } },
          ],
          initContainerStatuses: [
            { name: 'i', state: { terminated: { reason: 'Completed', exitCode: 0 } } },
            { name: 's', ready: true, started: true, state: running },
          ],
        },
      }),
      {
        key: podKey('n', 'p'),
        uid: 'u',
        phase: 'Running',
        containers: {
          a: { running: true, ready: true },
          b: { running: false, ready: false, reason: 'CrashLoopBackOff' },
          s: { running: true, ready: true },
        },
        initContainers: {
          i: { phase: 'terminated', isOver: true, isSidecar: false, restarts: 0, exitCode: 0 },
          s: { phase: 'running', isOver: false, isSidecar: true, restarts: 0, startedAt: Date.UTC(2026, 0, 1) },
        },
      },
    );
  });

  it('says what holds up a pod whose containers have no state yet', () => {
    const pending = (status: object) =>
      podObservation({
        metadata: { namespace: 'n', name: 'p', uid: 'u' },
        spec: { containers: [{ name: 'a' }] },
        status: { phase: 'Pending', ...status },
      })?.containers['a'];
    const down = { running: false, ready: false };
    const unscheduled = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable' };
    assert.deepEqual(pending({ conditions: [unscheduled] }), { ...down, reason: 'Unschedulable' });
    const words = '0/1 nodes are available: 1 Insufficient cpu, preemption: 0/1 nodes are available';
    assert.deepEqual(pending({ conditions: [{ ...unscheduled, message: words }] }), {
      ...down,
      reason: 'Unschedulable',
      message: '0/1 nodes are available: 1 Insufficient cpu',
    });
    assert.deepEqual(
      pending({
        initContainerStatuses: [{ name: 'i', state: { waiting: { reason: 'ErrImagePull', message: 'no\nroute' } } }],
        containerStatuses: [{ name: 'a', state: { waiting: { reason: 'PodInitializing' } } }],
      }),
      { ...down, reason: 'Init:ErrImagePull', message: 'no\\nroute' },
    );
  });

  it("keeps no words that may quote a container's command", () => {
    const waiting = { reason: 'RunContainerError', message: 'exec: "sh -c PW=x": not found' };
    assert.deepEqual(
      podObservation({
        metadata: { namespace: 'n', name: 'p', uid: 'u' },
        status: { phase: 'Running', containerStatuses: [{ name: 'a', state: { waiting } }] },
      })?.containers,
      { a: { running: false, ready: false, reason: 'RunContainerError' } },
    );
  });

  it('is undefined for what is not a pod', () => {
    for (const bad of [undefined, null, 'x', {}, { metadata: { name: 'p' } }])
      assert.equal(podObservation(bad), undefined);
  });
});
