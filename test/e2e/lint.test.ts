import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { entry, exec, hookAnnotations, mark, startSuite, VELERO } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());

describe('lint RESTORE', () => {
  it('finds what does not fit between a Restore and its live pods, and changes nothing', async () => {
    const scene = await e2e.scene('lint');
    await scene.pod('web-0');
    await scene.pod('db-0', { annotations: hookAnnotations(VELERO, mark('x'), { 'wait-timeout': '1d' }) });
    await scene.restore({ hooks: [entry(exec(mark('warm'), { container: 'mian', waitTimeout: '5m' }))] });
    const ran = await e2e.plugin('lint', scene.name, '-n', e2e.velero, '-o', 'json');
    assert.equal(ran.code, 3, ran.stderr);
    const restore = `Restore ${e2e.velero}/${scene.name}`;
    const pod = `Pod ${scene.namespace}/db-0`;
    assert.deepEqual(
      ran.json().findings.map(({ id, file, path }: Record<string, string>) => [id, file, path]),
      [
        ['container-missing', restore, 'spec.hooks.resources[0].postHooks[0].exec.container'],
        ['annotation-duration-invalid', pod, `metadata.annotations["${VELERO}/wait-timeout"]`],
        ['annotation-hides-hooks', pod, `metadata.annotations["${VELERO}/command"]`],
      ],
    );
    assert.deepEqual(await scene.marks('web-0'), []);
  });

  it('finds a hook that would do nothing, whose error a plan tells as a notice', async () => {
    const scene = await e2e.scene('lint-nothing');
    await scene.restore({ hooks: [] });
    await scene.pod('db-0', {
      annotations: hookAnnotations(VELERO, ['sh', '-c', 'cat', '-u', 'x'], { 'wait-timeout': '5m' }),
    });
    const linted = await e2e.plugin('lint', scene.name, '-n', e2e.velero, '-o', 'json');
    const found = linted.json().findings.map(({ id }: Record<string, string>) => id);
    assert.deepEqual([linted.code, found], [3, ['shell-arguments']], linted.stderr);
    const planned = await e2e.plugin('plan', scene.name, '-n', e2e.velero, '-o', 'json');
    const notices = planned.json().notices.filter(({ code }: Record<string, string>) => code === 'lint-error');
    assert.deepEqual([planned.code, notices.length], [0, 1], planned.stderr);
    assert.match(notices[0].message, /sh -c runs "cat" alone/);
  });

  it('exits 0 for one that is right, and 4 for one that is not there', async () => {
    const scene = await e2e.scene('lint-right');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('warm'), { waitTimeout: '5m' }))] });
    const right = await e2e.plugin('lint', scene.name, '-n', e2e.velero);
    assert.deepEqual([right.code, right.stdout], [0, ''], right.stderr);
    assert.equal((await e2e.plugin('lint', 'no-such', '-n', e2e.velero)).code, 4);
  });

  it("looks at a backup's pods instead, and plan does, from the built plugin", async () => {
    const shop = join(import.meta.dirname, '../data/velero-1.18/shop1.tar.gz');
    const scene = await e2e.scene('lint-backup');
    await scene.restore({
      hooks: [{ ...entry(exec(mark('warm'), { waitTimeout: '5m' })), includedNamespaces: ['no'] }],
    });
    const args = [scene.name, '-n', e2e.velero, '--backup-archive', shop];
    const linted = await e2e.plugin('lint', ...args, '-o', 'json');
    const found = linted.json().findings.map(({ id }: Record<string, string>) => id);
    assert.deepEqual([linted.code, found.includes('entry-matches-nothing')], [3, true], linted.stderr);
    const planned = await e2e.plugin('plan', ...args, '-o', 'name');
    assert.deepEqual(
      [planned.code, /^shop\/db\/main\/<from-annotation>\/0$/m.test(planned.stdout)],
      [0, true],
      planned.stderr,
    );
  });
});
