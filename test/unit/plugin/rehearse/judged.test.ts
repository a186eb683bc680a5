import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { after, before, describe, it } from 'node:test';
import { playedBackups } from './played-backups.ts';

/** What `rehearse` calls a success, where Velero runs a hook of the restored pod by itself. Velero is played. */
describe('a rehearsal in which Velero runs hooks of annotations', () => {
  let played: Awaited<ReturnType<typeof playedBackups>>;
  before(async () => {
    played = await playedBackups();
    played.cluster.intercept(({ verb, resource }) => {
      if (verb !== 'list' || resource !== 'persistentvolumes') return undefined;
      const body = { apiVersion: 'v1', kind: 'PersistentVolumeList', metadata: { resourceVersion: '1' }, items: [] };
      return { status: 200, body };
    });
  });
  after(() => played.close());

  /** Velero takes the next Restore up, and is done with it after `takesMs`. */
  function veleroRestores(t: TestContext, takesMs = 0): void {
    const { cluster } = played;
    let isBegun = false;
    const look = setInterval(() => {
      const [restore] = cluster.list('restores', 'velero');
      if (restore === undefined || isBegun) return;
      isBegun = true;
      const { name } = restore.metadata;
      const { namespaceMapping } = restore['spec'] as { namespaceMapping: { shop: string } };
      const set = (status: object) =>
        cluster.update('restores', 'velero', name, (now) => ({
          ...now,
          status: { ...(now['status'] ?? {}), ...status },
        }));
      set({ phase: 'InProgress' });
      const labels = { app: 'web', 'velero.io/restore-name': name };
      const annotations = { 'post.hook.restore.velero.io/command': '["true"]' };
      const metadata = { name: 'web-0', namespace: namespaceMapping.shop, labels, annotations };
      const spec = { containers: [{ name: 'main', image: 'i' }] };
      cluster.create({ apiVersion: 'v1', kind: 'Pod', metadata, spec });
      const hookStatus = { hooksAttempted: 1, hooksFailed: 0 };
      setTimeout(() => set({ phase: 'Completed', hookStatus }), takesMs);
    }, 20);
    t.after(() => clearInterval(look));
  }

  async function hooksFor(t: TestContext, app: string): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'rehearse-'));
    t.after(() => rm(dir, { recursive: true }));
    const resources = [
      { name: 'own', labelSelector: { matchLabels: { app } }, postHooks: [{ exec: { command: ['true'] } }] },
    ];
    const file = join(dir, 'hooks.json');
    await writeFile(
      file,
      JSON.stringify({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } }),
    );
    return file;
  }

  const rehearse = (id: string, ...argv: string[]) =>
    played.plugin(['rehearse', 'nightly-1', '--id', id, '--include-namespaces', 'shop', '--yes', ...argv]);

  it('succeeds where nothing else was asked for', async (t) => {
    veleroRestores(t);
    const ran = await rehearse('plain');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /all hooks of these pods are annotations of Velero/);
  });

  // R1.23
  it('does not where no hook of its --hooks files applies to a pod', async (t) => {
    veleroRestores(t);
    const ran = await rehearse('typo', '--hooks', await hooksFor(t, 'wbe'));
    assert.equal(ran.code, 8, ran.stderr);
    assert.match(ran.stderr, /no hook of the --hooks files applies to a pod/);
  });

  // R1.15
  it('does not where --only names nothing', async (t) => {
    veleroRestores(t);
    const ran = await rehearse('only', '--only', 'shop/no-such-pod');
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(ran.stderr, /--only shop\/no-such-pod names no hook that was to be run/);
  });

  // R7.112
  it('has its whole --deadline from when the user has answered', async (t) => {
    veleroRestores(t, 3_000);
    const stdin = Object.assign(
      (async function* () {
        await new Promise((resolve) => setTimeout(resolve, 20_000));
        yield 'y\n';
      })(),
      { isTTY: true },
    );
    const argv = ['rehearse', 'nightly-1', '--id', 'ask', '--include-namespaces', 'shop', '--deadline', '20s'];
    const ran = await played.plugin(argv, { env: { TERM: 'dumb' }, stdin, terminal: { isTTY: true } });
    assert.equal(ran.code, 0, ran.stderr);
  });
});
