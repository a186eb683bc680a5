import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readPods, wholePods } from '../../../../../plugin/input/archive/backup-archive.ts';
import type { TarFile } from '../../../../archives.ts';
import { asVelero, paxRecord, podPath, tarGzOf, tarOf, VERSION_FILE } from '../../../../archives.ts';
import { run, stdinOf } from '../../harness.ts';

const RESTORE = `
apiVersion: velero.io/v1
kind: Restore
metadata: {name: r, namespace: velero}
spec:
  backupName: b
  excludedNamespaces: [kube-system]
  labelSelector: {matchLabels: {app: web}}
  namespaceMapping: {shop: staging}
  hooks:
    resources:
      - name: warm
        includedNamespaces: [staging]
        postHooks: [{exec: {command: [/bin/true], waitTimeout: 5m}}]
status: {phase: New}
`;

const pod = (name: string, { namespace = 'shop', ...more }: Record<string, unknown> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: namespace as string, labels: { app: 'web' }, ...(more['metadata'] as object) },
  spec: { containers: [{ name: 'main', image: 'x' }] },
  status: (more['status'] as object) ?? { phase: 'Running' },
});
const WEB = pod('web-0');
const archive = (...files: TarFile[]): Buffer => tarGzOf([VERSION_FILE, ...files]);

let cwd = '';
before(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'restorehooks-archive-'));
  await writeFile(path.join(cwd, 'restore.yaml'), RESTORE);
});
after(() => rm(cwd, { recursive: true }));

async function plan(bytes: Buffer, ...more: string[]) {
  await writeFile(path.join(cwd, 'b.tar.gz'), bytes);
  return run(['plan', '-f', 'restore.yaml', '--backup-archive', 'b.tar.gz', ...more], { cwd });
}
async function planned(bytes: Buffer) {
  const { code, stdout, stderr } = await plan(bytes, '-o', 'json');
  assert.deepEqual([code, stderr], [0, '']);
  const { hooks, skipped, notices } = JSON.parse(stdout);
  const unreadable = notices.filter(({ code }: { code: string }) => code !== 'restore-without-phase');
  return { ids: hooks.map(({ id }: { id: string }) => id), skipped, notices: unreadable };
}

describe('plan --backup-archive', () => {
  // R1.18
  it('plans the pods of the archive as the Restore will make them, and says which it leaves out', async () => {
    const bytes = archive(
      ...asVelero(WEB),
      ...asVelero(pod('db-0', { metadata: { labels: { app: 'db' } } })),
      ...asVelero(pod('done', { status: { phase: 'Succeeded' } })),
      ...asVelero(pod('static', { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } })),
      ...asVelero(pod('dns', { namespace: 'kube-system' })),
      { path: 'resources/secrets/namespaces/shop/s.json', body: 'not looked at' },
    );
    assert.deepEqual(await planned(bytes), {
      ids: ['staging/web-0/main/warm/0'],
      skipped: [
        { namespace: 'shop', pod: 'db-0', reason: 'labels-not-selected' },
        { namespace: 'shop', pod: 'done', reason: 'finished' },
        { namespace: 'shop', pod: 'static', reason: 'mirror' },
        { namespace: 'kube-system', pod: 'dns', reason: 'namespace-not-included' },
      ],
      notices: [],
    });
  });

  it('gives the plan that the same pods give as manifests', async () => {
    const other = pod('web-1', {
      metadata: {
        annotations: { 'post.hook.restore.velero.io/command': '/bin/x', 'post.hook.restore.velero.io/on-error': 'x' },
      },
    });
    const pods = [WEB, other, pod('web-2')];
    await writeFile(path.join(cwd, 'pods.yaml'), pods.map((each) => JSON.stringify(each)).join('\n'));
    const files = await run(['plan', '-f', 'restore.yaml', '-f', 'pods.yaml', '-o', 'json'], { cwd });
    assert.equal((await plan(archive(...pods.flatMap(asVelero)), '-o', 'json')).stdout, files.stdout);
  });

  it('takes the preferred version of a pod once, in whatever order the copies come, and old archives without one', async () => {
    const is = (name: string) => ({ metadata: { labels: { app: 'web' }, annotations: { from: name } } });
    const copies = {
      old: { path: podPath(WEB), body: pod('web-0', is('old')) },
      other: { path: podPath(WEB, 'v1beta1'), body: pod('web-0', is('other')) },
      preferred: { path: podPath(WEB, 'v1-preferredversion'), body: pod('web-0', is('preferred')) },
    };
    const between = asVelero(pod('web-1'));
    const orders: [string, TarFile[]][] = [
      ['preferred', [copies.old, copies.preferred]],
      ['preferred', [copies.preferred, copies.old]],
      ['preferred', [copies.old, ...between, copies.preferred, copies.other]],
      ['preferred', [copies.preferred, ...between, copies.old]],
      ['old', [copies.other, ...between, copies.old]],
      ['old', [copies.old]],
      ['other', [copies.other]],
    ];
    for (const [expected, files] of orders) {
      const { pods } = await readPods(
        { name: 'a', open: async () => stdinOf(archive(...files)) as AsyncGenerator<Uint8Array> },
        ({ metadata }) => (metadata as { annotations?: { from: string } }).annotations?.from,
      );
      const results = pods.filter(({ name }) => name === 'web-0').map(({ result }) => result);
      assert.deepEqual(results, [{ value: expected }]);
    }
  });

  it('reads stdin, plain tar, what was packed again from a folder, and long names', async () => {
    const files = [VERSION_FILE, ...asVelero(WEB)];
    const folder = [
      { path: './', type: '5' },
      { path: './resources/', type: '5' },
      ...files.map((file) => ({ ...file, path: `./${file.path}` })),
    ];
    const bytes = tarOf(files);
    const long = pod(`web-${'x'.repeat(180)}`);
    const pax = [
      { path: 'PaxHeaders/x', type: 'x', body: paxRecord('path', podPath(long)) },
      { path: 'x', body: long },
    ];
    for (const each of [bytes, tarGzOf(folder), archive(...pax)]) {
      assert.equal((await planned(each)).ids.length, 1);
    }
    const stdin = stdinOf(
      ...(function* () {
        for (const byte of tarGzOf(files)) yield Buffer.of(byte);
      })(),
    );
    const piped = await run(['plan', '-f', 'restore.yaml', '--backup-archive', '-', '-o', 'name'], { cwd, stdin });
    assert.deepEqual(piped, { code: 0, stdout: 'staging/web-0/main/warm/0\n', stderr: '' });
  });

  // R1.7, R1.18
  it('leaves a pod that can not be read out with a notice, and plans the others', async () => {
    const at = (name: string) => podPath(pod(name), 'v1-preferredversion');
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const bad: Record<string, [TarFile['body'], string]> = {
      'not-json': ['{"kind": "Pod"', 'not a JSON object'],
      latin1: [Buffer.from([0x22, 0xe9, 0x22]), 'not a JSON object'],
      list: ['[]', 'not a JSON object'],
      deep: [deep, 'not a JSON object'],
      empty: ['', 'not a JSON object'],
      nothing: ['null', 'not a JSON object'],
      secret: [{ ...pod('secret'), kind: 'Secret' }, 'another object than its path says'],
      renamed: [pod('other'), 'another object than its path says'],
      moved: [pod('moved', { namespace: 'other' }), 'another object than its path says'],
      bare: [{ kind: 'Pod' }, 'another object than its path says'],
      wrong: [{ ...pod('wrong'), spec: { containers: 3 } }, 'not as Kubernetes writes pods'],
      huge: [JSON.stringify(pod('huge', { status: { message: 'x'.repeat(9 * 1024 * 1024) } })), 'longer than 8 MiB'],
    };
    for (const [name, [body = '', why]] of Object.entries(bad)) {
      const { ids, notices } = await planned(archive({ path: at(name), body }, ...asVelero(WEB)));
      assert.deepEqual(ids, ['staging/web-0/main/warm/0'], name);
      assert.deepEqual(notices, [{ code: 'pod-unreadable', message: `${at(name)}: ${why}; left out` }]);
    }
  });

  it("isn't led astray by keys and names that mean something to JavaScript", async () => {
    const text = JSON.stringify(pod('web-0')).replace(
      '"labels":{',
      '"__proto__":{"uid":"x"},"labels":{"__proto__":"y",',
    );
    const named = pod('__proto__', { namespace: 'constructor' });
    const { ids } = await planned(archive({ path: podPath(WEB), body: text }, ...asVelero(named)));
    assert.deepEqual(ids, ['staging/web-0/main/warm/0']);
    const explained = await plan(archive(...asVelero(named)), '--explain', 'constructor/__proto__');
    assert.match(explained.stdout, /^constructor\/__proto__\n/);
    assert.equal(Object.hasOwn(Object.prototype, 'uid'), false);
  });

  // R1.18
  it('answers an archive that is not whole, or not one, with one line and exit code 2', async () => {
    const good = archive(...asVelero(WEB));
    const tar = tarOf([VERSION_FILE, ...asVelero(WEB)]);
    const badCrc = Buffer.from(good);
    badCrc.writeUInt32LE(1, badCrc.length - 8);
    const flipped = Buffer.from(good);
    flipped[100] = ~(flipped[100] ?? 0);
    const badSum = Buffer.from(tar);
    badSum[3] = 0x58;
    const cases: Record<string, [Buffer, RegExp]> = {
      empty: [Buffer.alloc(0), /it is empty/],
      text: [Buffer.from('apiVersion: v1'), /it is neither gzip nor tar/],
      zip: [Buffer.from('PK\x03\x04whatever'), /it is a zip file/],
      zstd: [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]), /it is compressed with zstd/],
      'truncated gzip': [good.subarray(0, good.length - 20), /ends in the middle/],
      'gzip header alone': [good.subarray(0, 5), /ends in the middle/],
      'bad CRC': [badCrc, /the gzip is damaged \(incorrect data check\)/],
      'damaged gzip': [flipped, /damaged|ends in the middle/],
      'trailing garbage': [Buffer.concat([good, Buffer.from('garbage')]), /something follows the end of the gzip/],
      'two gzips': [Buffer.concat([good, good]), /something follows the end of the gzip/],
      'truncated tar': [gzipSync(tar.subarray(0, 1200)), /ends in the middle/],
      'tar cut between files': [gzipSync(tar.subarray(0, tar.length - 1024)), /ends in the middle/],
      'bad checksum': [gzipSync(badSum), /the tar in it is damaged/],
      'gzip of text': [gzipSync('x'.repeat(5000)), /the tar in it is damaged|ends in the middle/],
      'gzip of a gzip': [gzipSync(good), /damaged|ends in the middle/],
      'nothing in it': [gzipSync(tarOf([])), /no Velero backup/],
      'another tar': [tarGzOf([{ path: 'README', body: 'x' }]), /no Velero backup/],
      'new format': [
        tarGzOf([{ path: 'metadata/version', body: '2.0.0' }]),
        /a backup of format "2\.0\.0", expected 1\.x/,
      ],
      'long version': [tarGzOf([{ path: 'metadata/version', body: '1'.repeat(4096) }]), /a backup of format ""/],
    };
    for (const [name, [bytes, message]] of Object.entries(cases)) await refused(name, bytes, message);
    assert.match((await plan(tarGzOf(asVelero(WEB)))).stdout, /no metadata\/version.*\(archive-without-version\)/);
  });

  it('refuses what no backup of Velero holds', async () => {
    const body = JSON.stringify(WEB);
    const cases: Record<string, [TarFile[], RegExp]> = {
      'symbolic link': [[{ path: podPath(WEB), type: '2' }], /is a symbolic link/],
      'hard link': [[{ path: podPath(WEB), type: '1' }], /is a hard link/],
      device: [[{ path: 'dev/sda', type: '4' }], /is a device/],
      pipe: [[{ path: 'pipe', type: '6' }], /is a named pipe/],
      'unknown kind': [[{ path: 'x', type: 'Z' }], /is neither file nor directory/],
      'absolute path': [[{ path: '/etc/passwd', body }], /"\/etc\/passwd" is an absolute path/],
      'drive letter': [[{ path: 'C:\\x', body }], /is an absolute path/],
      'dot dot': [[{ path: 'resources/pods/namespaces/../../x.json', body }], /leads out of the archive/],
      'dot dot backwards': [[{ path: 'resources\\..\\x', body }], /leads out of the archive/],
      'pax path': [
        [
          { path: 'p', type: 'x', body: paxRecord('path', '../x') },
          { path: 'x', body },
        ],
        /leads out/,
      ],
      'pax size': [
        [
          { path: 'p', type: 'x', body: paxRecord('size', '-5') },
          { path: 'x', body },
        ],
        /the tar in it is damaged/,
      ],
      'pax size of nonsense': [
        [
          { path: 'p', type: 'x', body: paxRecord('size', 'NaN') },
          { path: 'x', body },
        ],
        /damaged/,
      ],
      'endless name': [[{ path: 'p', type: 'x', size: 8 ** 10 }], /the tar in it is damaged/],
      'huge entry': [[{ path: 'resources/x.json', size: 8 ** 10 }], /is longer than 64 MiB/],
      'escape sequences': [[{ path: '/\x1b[2J\n', body }], /"\/\\u001b\[2J\\n" is an absolute path/],
    };
    for (const [name, [files, message]] of Object.entries(cases)) await refused(name, archive(...files), message);
  });

  it('gives up on what unpacks to nothing but more', async () => {
    await refused('zeros', gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 1 }), /data without a file header/);
    const names = Array.from({ length: 40 }, () => ({ path: 'p', type: 'L', body: 'x'.repeat(1024 * 1024) }));
    await refused('names', archive(...names), /data without a file header/);
  });

  it('says what can not go together', async () => {
    const cases: [string[], RegExp][] = [
      [['--backup-archive', 'x'], /a backup needs a RESTORE/],
      [
        ['-f', 'restore.yaml', '--backup-archive', 'x', '--from-backup', 'b'],
        /either --backup-archive or --from-backup/,
      ],
      [['-f', '-', '--backup-archive', '-'], /stdin can be read only once/],
      [['r', '--backup-cacert', 'x'], /go with --from-backup/],
      [['-f', 'restore.yaml', '--backup-archive', 'x', '-l', 'a=b', '-A'], /find pods in a cluster/],
      [['-f', 'restore.yaml', '--backup-archive', 'no-such'], /no-such: no such file or directory/],
      [['-f', 'restore.yaml', '--backup-archive', '.'], /\.: is a directory/],
    ];
    for (const [argv, message] of cases) {
      const { code, stderr } = await run(['plan', ...argv], { cwd });
      assert.deepEqual([code, message.test(stderr)], [2, true], `${argv.join(' ')}: ${stderr}`);
    }
  });

  async function refused(name: string, bytes: Buffer, message: RegExp): Promise<void> {
    const { code, stdout, stderr } = await plan(bytes);
    assert.deepEqual([code, stdout], [2, ''], `${name}: ${stderr}`);
    assert.match(stderr, /^error: b\.tar\.gz: [^\n]+\n(?:hint: [^\n]+\n)?$/, name);
    assert.match(stderr, message, name);
  }
});

describe("an archive of Velero's own", () => {
  const data = path.join(import.meta.dirname, '../../../../data/velero-1.18');
  const example = path.join(import.meta.dirname, '../../../../../examples/check-restore.sh');
  const shop = path.join(data, 'shop1.tar.gz');

  it('plans the hooks that Velero ran from it', async () => {
    const argv = ['-f', path.join(data, 'b1.yaml'), '--backup-archive', shop, '--rerun', '-o', 'name'];
    const { stdout, stderr } = await run(['plan', ...argv]);
    assert.equal(stderr, '');
    assert.deepEqual(stdout.split('\n'), [
      'shop/api-6847c47d79-6vtwg/main/api-hook/0',
      'shop/api-6847c47d79-hcghx/main/api-hook/0',
      'shop/cache/restore-hook/<from-annotation>/0',
      'shop/cache/main/<from-annotation>/0',
      'shop/db/main/<from-annotation>/0',
      'shop/web-5689445466-5mgz2/spec-init/warm/0',
      'shop/web-5689445466-5mgz2/main/warm/1',
      'shop/web-5689445466-5mgz2/main/warm/2',
      'shop/web-5689445466-f6djn/spec-init/warm/0',
      'shop/web-5689445466-f6djn/main/warm/1',
      'shop/web-5689445466-f6djn/main/warm/2',
      '',
    ]);
  });

  it('that was cut off anywhere is refused as not whole', async () => {
    const whole = await readFile(shop);
    for (let length = 11; length < whole.length; length += 397) {
      const cut = stdinOf(whole.subarray(0, length)) as AsyncGenerator<Uint8Array>;
      await assert.rejects(
        readPods({ name: 'a', open: async () => cut }, () => undefined),
        { code: 'INVALID_INPUT', message: 'a: ends in the middle; it is not whole' },
        `${length} bytes`,
      );
    }
  });

  it('is checked by the example, which lints and plans', async () => {
    const stub = path.join(cwd, 'kubectl-restorehooks');
    const main = path.join(import.meta.dirname, '../../../../../plugin/main.ts');
    await writeFile(stub, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
    const check = (restore: string) =>
      spawnSync(example, [restore, shop], {
        encoding: 'utf8',
        env: { PATH: `${cwd}:${process.env['PATH']}`, HOME: cwd },
      });
    const good = check(path.join(data, 'a1.yaml'));
    assert.equal(good.status, 0, good.stderr);
    assert.match(good.stdout, /digest: sha256:/);
    const text = await readFile(path.join(data, 'b1.yaml'), 'utf8');
    await writeFile(path.join(cwd, 'bad.yaml'), text.replace('container: main', 'container: mian'));
    const bad = check(path.join(cwd, 'bad.yaml'));
    assert.equal(bad.status, 3, bad.stderr);
    assert.match(bad.stdout, /container-missing/);
  });
});

describe('the pods of an archive', () => {
  it('keep the lists that a plan needs, and lose no field to what looks like a list in a string', async () => {
    const tricky = {
      ...pod('web-0', {
        metadata: { labels: { app: 'web' }, annotations: { 'post.hook.restore.velero.io/command': '["env":["a]"' } },
      }),
      spec: {
        volumes: [{ name: 'a]"[', items: [[1], ['\\"]']] }],
        containers: [
          { name: 'main', env: [{ name: 'x', value: '"env":["' }] },
          { name: 'side', env: [] },
        ],
        initContainers: [{ name: 'init', env: [{ name: 'kept' }] }],
      },
    };
    const source = { name: 'a', open: async () => stdinOf(archive(...asVelero(tricky))) as AsyncGenerator<Uint8Array> };
    const { pods } = await readPods(source, (each) => each);
    const { volumes: _, containers, ...spec } = tricky.spec;
    const expected = {
      ...tricky,
      spec: { ...spec, volumes: [], containers: containers.map((container) => ({ ...container, env: [] })) },
    };
    assert.deepEqual(pods[0]?.result, { value: expected });
  });

  it('can be read whole by their places, every field as it was written', async () => {
    const web = { ...WEB, spec: { ...WEB.spec, unknown: { field: 1 } } };
    const bytes = archive(...asVelero(web), ...asVelero(pod('web-1')), { path: podPath(pod('old')), body: pod('old') });
    const source = { name: 'a', open: async () => stdinOf(bytes) as AsyncGenerator<Uint8Array> };
    const { pods } = await readPods(source, () => undefined);
    assert.deepEqual(
      pods.map(({ place }) => place),
      [podPath(web, 'v1-preferredversion'), podPath(pod('web-1'), 'v1-preferredversion'), podPath(pod('old'))],
    );
    const wanted = new Set([podPath(web, 'v1-preferredversion'), podPath(pod('old'))]);
    const whole = [];
    for await (const { result } of wholePods(source, wanted)) whole.push(result);
    assert.deepEqual(whole, [{ value: web }, { value: pod('old') }]);
  });
});

describe('lint --backup-archive', () => {
  const prefix = 'post.hook.restore.velero.io';
  const hooked = pod('web-0', {
    metadata: {
      labels: { app: 'web' },
      annotations: { [`${prefix}/command`]: '/bin/x', [`${prefix}/contaner`]: 'main' },
    },
  });

  it('finds mistakes in the pods of the archive, at their paths there', async () => {
    await writeFile(path.join(cwd, 'l.tar.gz'), archive(...asVelero(hooked), { path: podPath(pod('bad')), body: '{' }));
    const { code, stdout, stderr } = await run(['lint', '--backup-archive', 'l.tar.gz', '-o', 'json'], { cwd });
    assert.equal(code, 3);
    assert.match(stderr, /^warning: resources\/pods\/namespaces\/shop\/bad\.json: not a JSON object; left out\n/);
    const [first] = JSON.parse(stdout).findings;
    assert.deepEqual(
      [first.id, first.file, first.path, first.line],
      [
        'annotation-key-unknown',
        podPath(hooked, 'v1-preferredversion'),
        `metadata.annotations["${prefix}/contaner"]`,
        undefined,
      ],
    );
  });

  it('looks at them together with a Restore and with hooks of a file', async () => {
    const hooks = `
apiVersion: restorehooks.io/v1
kind: RestoreHooks
spec: {resources: [{name: mine, includedNamespaces: [nowhere], postHooks: [{exec: {command: [/x], waitTimeout: 5m}}]}]}
`;
    await writeFile(path.join(cwd, 'hooks.yaml'), hooks);
    await writeFile(path.join(cwd, 'l.tar.gz'), archive(...asVelero(hooked)));
    const argv = ['lint', '-f', 'restore.yaml', '--hooks', 'hooks.yaml', '--backup-archive', 'l.tar.gz', '-o', 'json'];
    const { stdout } = await run(argv, { cwd });
    const found = JSON.parse(stdout).findings.map(({ id, file }: Record<string, string>) => `${id} ${file}`);
    assert.ok(found.includes('entry-matches-nothing hooks.yaml'), found.join('\n'));
    assert.ok(found.includes(`annotation-hides-hooks ${podPath(hooked, 'v1-preferredversion')}`), found.join('\n'));
  });

  it('mends files beside it, and nothing in it', async () => {
    await writeFile(path.join(cwd, 'l.tar.gz'), archive(...asVelero(hooked)));
    const { code, stderr } = await run(['lint', '--backup-archive', 'l.tar.gz', '--fix'], { cwd });
    assert.equal(code, 2);
    assert.match(stderr, /--fix mends files/);
  });
});
