import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import type { runnerJob } from '../../../../shared/core/manifests/job.ts';
import type { Hook, HookId } from '../../../../shared/core/model/hook.ts';
import { planDocument } from '../../../../shared/core/plan/make-plan-document.ts';
import { parsePayload } from '../../../../shared/core/report/payload.ts';
import type { RunHook } from '../../../../shared/core/report/run-document.ts';
import { deniedByAdmission, refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import { compressRows, decompress } from '../../../../shared/kubernetes/run/compressed-parts.ts';
import { launchRun, runManifests } from '../../../../shared/kubernetes/run/launch.ts';
import { markFailed } from '../../../../shared/kubernetes/run/mark-ended.ts';

const restore = { namespace: 'velero', name: 'nightly', uid: 'u-1' };

function payload(hooks: number, commandBytes: number) {
  const planned = Array.from({ length: hooks }, (_, index): Hook => {
    const pod = `web-${index}`;
    return {
      id: `shop/${pod}/main/h/0` as HookId,
      kind: 'exec',
      namespace: 'shop',
      pod,
      container: 'main',
      source: 'spec',
      origin: 'velero',
      name: 'h',
      index: 0,
      // Random, so that it can't be compressed.
      command: ['sh', '-c', randomBytes(commandBytes).toString('hex')],
      onError: 'Continue',
      execTimeoutMs: 30_000,
      execTimeoutFrom: 'default',
      waitTimeoutMs: null,
      waitTimeoutFrom: 'default',
      waitForReady: false,
    };
  });
  const plan = planDocument({ restore, selector: { labelSelector: 'a=b' }, hooks: planned, skipped: [], notices: [] });
  return { version: 1 as const, plan, kept: [], pods: [] };
}

const job = {
  restore,
  runID: 'abc123',
  image: 'example.com/runner:1',
  imagePullSecrets: ['pull'],
  serviceAccount: 'restorehooks',
  options: {
    maxConcurrent: 64,
    capture: 'tail',
    failOn: 'fail',
    keepRestorePhase: false,
    onUnknown: 'fail',
    record: false,
  },
} as const;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly ownerReferences: readonly { kind: string }[] };
  readonly data?: Readonly<Record<string, string>>;
}

describe('runManifests', () => {
  it('splits a plan over as many Secrets as it needs, and they join to the same plan', () => {
    const given = payload(40, 40_000);
    const manifests = runManifests(given, job) as Manifest[];
    const secrets = manifests.filter(({ kind }) => kind === 'Secret');
    assert.ok(secrets.length > 1, `${secrets.length} Secrets`);
    const data = Object.entries(Object.assign({}, ...secrets.map((secret) => secret.data)) as Record<string, string>);
    const pieces = data.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, piece]) => Buffer.from(piece, 'base64'));
    assert.ok(pieces.every((piece) => piece.length <= 1024 * 1024));
    const parsed = parsePayload(decompress(Buffer.concat(pieces), 'the plan'));
    assert.deepEqual(parsed, { ok: true, value: given });
    assert.deepEqual(manifests.at(-1)?.kind, 'Job');
  });

  // R8.3
  it('refuses a plan over 16 MiB before anything is created', () => {
    assert.throws(
      () => runManifests(payload(20, 900_000), job),
      (error) =>
        error instanceof RestoreHooksError && error.code === 'INVALID_INPUT' && /at most 16 MiB/.test(error.message),
    );
  });

  // R8.2
  it('keeps commands out of the Job', () => {
    const given = payload(1, 16);
    const text = JSON.stringify(runManifests(given, job).at(-1));
    assert.doesNotMatch(text, new RegExp(given.plan.hooks[0]?.command?.[2] ?? 'no command'));
    assert.match(text, /"--max-concurrent=64"/);
  });

  // R8.4, R8.5
  it('replaces a dead runner up to six times, unless its exit code is final, and keeps a finished Job for a day', () => {
    const { spec } = runManifests(payload(1, 16), job).at(-1) as ReturnType<typeof runnerJob>;
    const [disrupted, final] = spec.podFailurePolicy.rules;
    assert.deepEqual([spec.backoffLimit, spec.podReplacementPolicy], [6, 'Failed']);
    assert.equal(disrupted?.onPodConditions?.[0]?.type, 'DisruptionTarget');
    assert.deepEqual(final?.onExitCodes?.values, [2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 126, 127, 128, 130]);
    assert.deepEqual([spec.ttlSecondsAfterFinished, spec.template.spec.restartPolicy], [86_400, 'Never']);
    assert.equal(spec.template.spec.containers[0]?.imagePullPolicy, 'IfNotPresent');
  });
});

const answer = (status: number, reason = '', name?: string, resource = 'jobs'): RestoreHooksError =>
  refusedByServer({
    status,
    body: JSON.stringify({
      kind: 'Status',
      code: status,
      reason,
      message: `said ${status}`,
      details: name && { name },
    }),
    server: new URL('http://server'),
    request: `GET /apis/batch/v1/namespaces/velero/${resource}/${name}`,
  });

const JOB = 'restorehooks-nightly-abc123';
const pending = { phase: 'Pending', runner: { kind: 'job', name: JOB } };

/** An API server with one Restore, Secrets and Jobs; `meet` can answer a request instead of it, or after it. */
function world(meet: (request: string) => Error | 'after' | undefined, run: object = pending) {
  const calls: string[] = [];
  const there = new Set<string>();
  const status = {
    version: 1,
    runID: 'abc123',
    attempt: 1,
    planDigest: 'sha256:0',
    createdAt: '2026-01-01T00:00:00Z',
    failOn: 'fail',
    counts: { planned: 1, succeeded: 0, failed: 0, timedOut: 0, notExecuted: 0, unknown: 0, waiting: 1, running: 0 },
    failures: [],
    reportParts: 0,
    ...run,
  };
  const annotations: Record<string, string> = { 'restorehooks.io/status': JSON.stringify(status) };
  const metadata = { name: 'nightly', namespace: 'velero', resourceVersion: '1', annotations };
  async function serve<T>(verb: string, path: string, act: () => T): Promise<T> {
    const name = path.split('/').at(-1) ?? '';
    const request = `${verb} ${name}`;
    calls.push(request);
    const met = meet(request);
    if (met instanceof Error) throw met;
    const result = act();
    if (met === 'after') throw new RestoreHooksError('CLUSTER_UNREACHABLE', 'the connection was closed');
    return result;
  }
  const named = (name: string): void => {
    if (!there.has(name)) throw answer(404, 'NotFound', name);
  };
  return {
    calls,
    there,
    phase: () => annotations['restorehooks.io/phase'],
    client: {
      create: (path: string, object: object) =>
        serve('create', path, () => {
          const { name } = (object as Manifest).metadata;
          if (there.has(name)) throw answer(409, 'AlreadyExists', name);
          there.add(name);
          return { metadata: { uid: 'job-uid' } };
        }),
      get: (path: string) =>
        serve('get', path, () => {
          if (path.includes('/restores/')) return { apiVersion: 'velero.io/v1', kind: 'Restore', metadata, spec: {} };
          named(path.split('/').at(-1) ?? '');
          return { metadata: { uid: 'job-uid' } };
        }),
      patch: (path: string, body: unknown) =>
        serve('patch', path, () => {
          if (path.includes('/restores/')) {
            Object.assign(annotations, (body as { metadata: typeof metadata }).metadata.annotations);
          } else calls.push(JSON.stringify(body));
          return {};
        }),
      delete: (path: string) =>
        serve('delete', path, () => {
          named(path.split('/').at(-1) ?? '');
          there.delete(path.split('/').at(-1) ?? '');
          return {};
        }),
    },
  };
}

const PLAN = `${JOB}-plan-0`;

describe('launchRun', () => {
  const run = { namespace: 'velero', name: 'nightly', runID: 'abc123' };
  const launch = async (w: ReturnType<typeof world>) => {
    const warnings: string[] = [];
    await launchRun(w.client, run, runManifests(payload(1, 16), job), {
      adopt: true,
      warn: (text) => void warnings.push(text),
    });
    return warnings;
  };

  // R8.2
  it('creates the Secrets, then the Job, then lets the Job own them', async () => {
    const w = world(() => undefined);
    assert.deepEqual(await launch(w), []);
    assert.deepEqual(w.calls, [
      'create secrets',
      'create jobs',
      `patch ${PLAN}`,
      `{"metadata":{"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"${JOB}","uid":"job-uid"}]}}`,
    ]);
  });

  // R6.29
  it('has launched a run whose Job stands, whatever became of the requests around it', async () => {
    for (const [request, met] of [
      [`patch ${PLAN}`, answer(500, 'InternalError')],
      [`patch ${PLAN}`, answer(403, 'Forbidden')],
      ['create jobs', 'after'],
      ['create secrets', 'after'],
    ] as const) {
      const w = world((each) => (each === request ? met : undefined));
      await launch(w);
      assert.ok(w.there.has(JOB), request);
      assert.equal(w.phase(), undefined, request);
    }
  });

  it('leaves nothing of a run whose Job is refused, and says that it has failed', async () => {
    const w = world((each) => (each === 'create jobs' ? deniedByAdmission(answer(403, 'Forbidden')) : undefined));
    await assert.rejects(launch(w), { code: 'DENIED', message: 'the run could not start: said 403' });
    assert.deepEqual([[...w.there], w.phase()], [[], 'Failed']);
  });

  it('leaves a plan to the garbage collector where it may not delete it', async () => {
    const w = world((each) =>
      each === 'create jobs' || each === `delete ${PLAN}` ? answer(403, 'Forbidden') : undefined,
    );
    await assert.rejects(launch(w), { code: 'FORBIDDEN' });
    assert.match(w.calls.find((each) => each.startsWith('{')) ?? '', new RegExp(`"kind":"Job","name":"${JOB}"`));
  });

  it('says a server that answers 500 to the end is why the run could not start', async () => {
    const w = world((each) => (each === 'create jobs' ? answer(500, 'InternalError') : undefined));
    await assert.rejects(launch(w), { code: 'RUN_FAILED' });
    assert.equal(w.calls.filter((each) => each === 'create jobs').length, 3);
    assert.deepEqual([[...w.there], w.phase()], [[], 'Failed']);
  });

  it('marks nothing as failed where it is not known whether the Job stands', async () => {
    const w = world((each) => (each.startsWith('create jobs') || each === `get ${JOB}` ? answer(503) : undefined));
    await assert.rejects(launch(w), { code: 'CLUSTER_UNREACHABLE', message: /isn't known whether Job/ });
    assert.deepEqual([w.there.has(PLAN), w.phase()], [true, undefined]);
  });
});

describe('markFailed', () => {
  const run = { namespace: 'velero', name: 'nightly', runID: 'abc123' };
  const mark = (w: ReturnType<typeof world>, knowledge?: object) =>
    markFailed(w.client, run, { code: 'job', message: 'why' }, knowledge);

  // R6.29
  it('writes nothing where a runner has claimed the run, or where its Job stands', async () => {
    const claimed = world(() => undefined, { ...pending, runner: { ...pending.runner, claimedBy: 'pod' } });
    assert.equal((await mark(claimed))?.phase, 'Pending');
    const standing = world(() => undefined);
    standing.there.add(JOB);
    assert.equal((await mark(standing))?.phase, 'Pending');
    for (const w of [claimed, standing]) assert.equal(w.phase(), undefined);
    assert.equal((await mark(standing, { ownJob: JOB }))?.phase, 'Failed');
    assert.equal((await mark(claimed, { nobodyRuns: true }))?.phase, 'Failed');
  });

  it('does not take a 404 that names nothing for the word that there is no Job', async () => {
    const w = world((each) => (each === `get ${JOB}` ? answer(404) : undefined));
    await assert.rejects(mark(w), { code: 'CLUSTER_UNREACHABLE' });
    assert.equal(w.phase(), undefined);
  });

  it('leaves a run that has ended as it is', async () => {
    const w = world(() => undefined, { ...pending, phase: 'Completed' });
    assert.equal((await mark(w))?.phase, 'Completed');
    assert.equal(w.phase(), undefined);
  });
});

describe('compressRows', () => {
  it('makes parts that each fit a Secret and can each be read', () => {
    const rows = Array.from({ length: 300 }, (_, index) => ({
      id: String(index),
      stdout: randomBytes(4096).toString('hex'),
    }));
    const parts = compressRows(rows as unknown as RunHook[], (some) => ({ hooks: some }));
    assert.ok(parts.length > 1, `${parts.length} parts`);
    assert.ok(parts.every((part) => part.length <= 900 * 1024));
    const joined = parts.flatMap((part) => (decompress(part, 'a part') as { hooks: { id: string }[] }).hooks);
    assert.deepEqual(joined, rows);
  });

  it('a part that is damaged is one clear error', () => {
    assert.throws(() => decompress(Buffer.from('no gzip'), 'Secret x'), /Secret x is damaged/);
  });
});
