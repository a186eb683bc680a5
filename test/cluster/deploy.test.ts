import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Scene } from '../e2e/harness.ts';
import { entry, exec, isReal, mark, sh, startSuite, waitFor } from '../e2e/harness.ts';

const EXAMPLE = join(import.meta.dirname, '../../deploy/example');
/** Somebody of the group that the example lets run hooks. */
const JANE = ['--as=jane', '--as-group=sre', '--as-group=system:authenticated'];
const at = ['-n', 'velero', ...JANE];
const kubectl = async (...args: string[]): Promise<string> => (await promisify(execFile)('kubectl', args)).stdout;

// R8.85
describe('deploy/example on a real cluster', { skip: !isReal && 'needs a real cluster' }, async () => {
  if (!isReal) return;
  const e2e = await startSuite({ velero: 'velero' });
  const { cluster, plugin } = e2e;
  const id = randomUUID().slice(0, 4);
  let scene: Scene;
  before(async () => {
    // The runner of this suite's own setup is not the one that is tested here.
    await plugin('setup', '--delete', '-n', 'velero');
    // Another test may have deleted one of the same name, which takes its time.
    const isCreated = (name: string) =>
      kubectl('create', 'namespace', name).then(
        () => true,
        () => false,
      );
    for (const name of ['shop', 'blog']) await waitFor(`namespace ${name} to be created`, () => isCreated(name));
  });
  after(async () => {
    await kubectl('delete', '-k', EXAMPLE, '--ignore-not-found');
    await kubectl('delete', 'namespace', 'shop', 'blog');
    await e2e.close();
  });

  it('is taken by the API server, field by field, and changes nothing when applied again', async () => {
    await kubectl('apply', '-f', join(EXAMPLE, '../base/namespace.yaml'));
    const dry = await kubectl('apply', '-k', EXAMPLE, '--dry-run=server', '--validate=strict');
    assert.equal(dry.match(/\(server dry run\)$/gm)?.length, dry.trimEnd().split('\n').length);
    await kubectl('apply', '-k', EXAMPLE, '--validate=strict');
    const again = (await kubectl('apply', '-k', EXAMPLE)).trimEnd().split('\n');
    assert.deepEqual(
      again.filter((line) => !line.endsWith(' unchanged')),
      [],
    );
  });

  it('lets a person check, plan, apply, follow, retry and prune, without any flag', async () => {
    scene = await e2e.scene('person', `person-${id}`, 'shop');
    await scene.pod('web-0');
    await scene.restore({
      hooks: [entry(exec(sh('echo began >> marks; echo said; test -f gate'), { onError: 'Fail' }))],
      spec: { includedNamespaces: ['shop'] },
      status: { phase: 'Completed' },
    });
    const check = await plugin('check', scene.name, ...at, '-o', 'json');
    assert.equal(check.json().canStart, true, check.stdout);
    const states = Object.fromEntries(
      check.json().checks.map(({ id: name, state }: { id: string; state: string }) => [name, state]),
    );
    assert.deepEqual([states['your-rights'], states['dry-run-pod'], states['plan']], ['ok', 'unchecked', 'ok']);
    const plan = await plugin('plan', scene.name, ...at);
    assert.match(plan.stdout, /shop\/web-0/);
    const applied = await plugin('apply', scene.name, ...at);
    assert.equal(applied.code, 3, applied.stderr);
    assert.match(applied.stderr, /^runner {4}Job as ServiceAccount restorehooks in namespace restorehooks, image /m);
    assert.match((await plugin('logs', scene.name, ...at)).stdout, /said/);
    await scene.open('web-0');
    const retried = await plugin('retry', scene.name, ...at);
    assert.equal(retried.code, 0, retried.stderr);
    const status = await plugin('status', scene.name, ...at, '-o', 'json');
    assert.equal(status.json().phase, 'Completed');
    assert.match((await plugin('report', scene.name, ...at)).stdout, /Completed/);
    assert.match((await plugin('list', ...at)).stdout, new RegExp(scene.name));
    assert.match((await plugin('cancel', scene.name, ...at)).stdout, /has ended .*: nothing to cancel/);
    assert.match((await plugin('prune', scene.name, ...at)).stdout, /^removed 1 run/);
  });

  it('gives that person nothing beside Velero, and no command in a pod', async () => {
    const may = async (...args: string[]): Promise<string> =>
      kubectl('auth', 'can-i', ...args, ...JANE).then(
        () => 'yes',
        () => 'no',
      );
    assert.deepEqual(
      await Promise.all([
        may('create', 'jobs', '-n', 'restorehooks'),
        may('create', 'jobs', '-n', 'velero'),
        may('get', 'secrets', '-n', 'velero'),
        may('create', 'pods', '-n', 'restorehooks'),
        may('create', 'pods/exec', '-n', 'shop'),
        may('list', 'pods', '-n', 'default'),
      ]),
      ['yes', 'no', 'no', 'no', 'no', 'no'],
    );
  });

  it('keeps the runner out of other namespaces', async () => {
    const other = await e2e.scene('other', `other-${id}`);
    await other.pod('web-0');
    await other.restore({ hooks: [entry(exec(mark('x')))], status: { phase: 'Completed' } });
    const { code, stderr } = await plugin('apply', other.name, ...at);
    assert.equal(code, 8, stderr);
    assert.match(stderr, /shop, blog/);
  });

  it('leaves nothing of a deleted Restore once that person prunes', async () => {
    await cluster.remove('restores', 'velero', scene.name);
    const { code, stdout, stderr } = await plugin('prune', '--deleted', ...at);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^removed \d+ objects of 1 deleted Restore in namespace restorehooks\n$/);
    await waitFor('the objects to go', async () => {
      const names = await kubectl(
        ...['get', 'jobs,secrets,configmaps,leases', '-n', 'restorehooks', '-o', 'name'],
        ...['-l', 'restorehooks.io/restore-uid'],
      );
      return names === '';
    });
  });
});
