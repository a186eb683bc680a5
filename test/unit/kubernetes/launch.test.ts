import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import type { HookId, PlannedHook } from '../../../shared/core/hook.ts';
import { planDocument } from '../../../shared/core/report/make-plan-document.ts';
import { parsePayload } from '../../../shared/core/report/payload.ts';
import type { RunHook } from '../../../shared/core/report/run-document.ts';
import { compressRows, decompress } from '../../../shared/kubernetes/compressed-parts.ts';
import { createRunObjects, runManifests } from '../../../shared/kubernetes/launch.ts';

const restore = { namespace: 'velero', name: 'nightly', uid: 'u-1' };

function payload(hooks: number, commandBytes: number) {
  const planned = Array.from({ length: hooks }, (_, index): PlannedHook => {
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

  it('refuses a plan over 16 MiB before anything is created', () => {
    assert.throws(
      () => runManifests(payload(20, 900_000), job),
      (error) =>
        error instanceof RestoreHooksError && error.code === 'INVALID_INPUT' && /at most 16 MiB/.test(error.message),
    );
  });

  it('keeps commands out of the Job', () => {
    const given = payload(1, 16);
    const text = JSON.stringify(runManifests(given, job).at(-1));
    assert.doesNotMatch(text, new RegExp(given.plan.hooks[0]?.command?.[2] ?? 'no command'));
    assert.match(text, /"--max-concurrent=64"/);
  });
});

describe('createRunObjects', () => {
  it('creates the Secrets owned by the Restore, then the Job, then lets the Job own them', async () => {
    const calls: string[] = [];
    const client = {
      create: async (_: string, object: object) => {
        const { kind, metadata } = object as Manifest;
        calls.push(`create ${kind} of ${metadata.ownerReferences[0]?.kind}`);
        return { metadata: { uid: 'job-uid' } };
      },
      patch: async (path: string, body: unknown) => {
        calls.push(`patch ${path.split('/').at(-1)} ${JSON.stringify(body)}`);
        return {};
      },
    };
    await createRunObjects(client, 'velero', runManifests(payload(1, 16), job));
    assert.deepEqual(calls, [
      'create Secret of Restore',
      'create Job of Restore',
      'patch restorehooks-nightly-abc123-plan-0 {"metadata":{"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"restorehooks-nightly-abc123","uid":"job-uid"}]}}',
    ]);
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
