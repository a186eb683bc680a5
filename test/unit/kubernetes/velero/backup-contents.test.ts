import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { after, before, beforeEach, describe, it } from 'node:test';
import { kubeClient } from '../../../../shared/kubernetes/api/client.ts';
import { loadKubeConfig } from '../../../../shared/kubernetes/connect/kubeconfig.ts';
import type { DownloadOptions } from '../../../../shared/kubernetes/velero/backup-contents.ts';
import { backupContents } from '../../../../shared/kubernetes/velero/backup-contents.ts';
import { asVelero, tarGzOf, VERSION_FILE } from '../../../archives.ts';
import { selfSignedCertificate } from '../../../embedded/certificate.ts';
import type { EmbeddedCluster } from '../../../embedded/server.ts';
import { startEmbeddedCluster } from '../../../embedded/server.ts';
import { run } from '../../plugin/harness.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-0', namespace: 'shop' },
  spec: { containers: [{ name: 'main', image: 'x' }] },
};
const ARCHIVE = tarGzOf([VERSION_FILE, ...asVelero(POD)]);
/** The secret part of the URL, which must not be printed. */
const SIGNATURE = 'X-Amz-Signature=SECRET';

const velero = (kind: string, name: string, spec: object) => ({
  apiVersion: 'velero.io/v1',
  kind,
  metadata: { name, namespace: 'velero' },
  spec,
});

describe('a Backup that the cluster gives away', () => {
  let cluster: EmbeddedCluster;
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'restorehooks-backup-'));
    cluster = await startEmbeddedCluster({ namespaces: ['velero'], users: [{ name: 'nobody' }] });
    cluster.create(velero('Backup', 'b', { storageLocation: 'default' }));
    const hooks = { resources: [{ name: 'warm', postHooks: [{ exec: { command: ['/x'], waitTimeout: '5m' } }] }] };
    cluster.create(velero('Restore', 'r', { backupName: 'b', hooks }));
  });
  beforeEach(() => {
    for (const { metadata } of cluster.list('downloadrequests', 'velero')) {
      cluster.delete('downloadrequests', 'velero', metadata.name ?? '');
    }
  });
  after(async () => {
    await cluster.close();
    await rm(folder, { recursive: true });
  });

  // R1.18
  it('is asked for by a DownloadRequest, waited for, and read', async (t) => {
    const store = await objectStore(t, (_, response) => response.end(ARCHIVE));
    signs(t, store.url, 2);
    const ran = await plugin('plan', 'r', '--from-backup', 'b', '-o', 'name');
    assert.deepEqual(ran, { code: 0, stdout: 'shop/web-0/main/warm/0\n', stderr: '' });
    const [request] = cluster.list('downloadrequests', 'velero');
    assert.deepEqual(request?.['spec'], { target: { kind: 'BackupContents', name: 'b' } });
    assert.deepEqual(store.asked, [`/bucket/b.tar.gz?${SIGNATURE}`]);
    const linted = await plugin('lint', 'r', '--from-backup', 'b');
    assert.deepEqual([linted.code, linted.stdout], [0, ''], linted.stderr);
  });

  it('of which the Restore is not made is a notice', async (t) => {
    cluster.create(velero('Backup', 'other', {}));
    signs(t, (await objectStore(t, (_, response) => response.end(ARCHIVE))).url);
    const { stdout } = await plugin('plan', 'r', '--from-backup', 'other');
    assert.match(stdout, /Restore r restores Backup b; these are the pods of other \(backup-is-another\)/);
  });

  it('that is not there, or not to be asked for, exits 4 or 5, and nothing is created', async (t) => {
    const missing = await plugin('plan', 'r', '--from-backup', 'no-such');
    assert.deepEqual(missing, {
      code: 4,
      stdout: '',
      stderr:
        'error: there is no Backup no-such in namespace velero\n' +
        'hint: list them: kubectl get backups.velero.io -n velero\n',
    });
    const forbidden = await plugin('plan', 'r', '--from-backup', 'b', '--as', 'nobody');
    assert.equal(forbidden.code, 5);
    const refusal = { kind: 'Status', code: 403, reason: 'Forbidden', message: 'downloadrequests is forbidden' };
    let allowed = false;
    const stop = cluster.intercept(({ verb, resource }) => {
      if (resource === 'selfsubjectaccessreviews') return { status: 201, body: { status: { allowed } } };
      return verb === 'create' && resource === 'downloadrequests' ? { status: 403, body: refusal } : undefined;
    });
    t.after(stop);
    const { code, stderr } = await plugin('plan', 'r', '--from-backup', 'b');
    assert.deepEqual([code, /downloadrequests is forbidden/.test(stderr)], [5, true], stderr);
    allowed = true;
    assert.equal((await plugin('plan', 'r', '--from-backup', 'b')).code, 10, 'a policy refuses it');
    assert.deepEqual(cluster.list('downloadrequests', 'velero'), []);
  });

  it('without a Velero that answers is said in one line', async () => {
    await assert.rejects(contents({ waitMs: 1 }), {
      exitCode: 6,
      message: 'Velero in namespace velero has not answered the DownloadRequest for Backup b within 0.001s',
      hint: /is its server running/,
    });
  });

  it("is refused by its store in the store's own words, and the signed URL is told to nobody", async (t) => {
    const xml = (code: string, message: string) =>
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>` +
      `<StringToSign>${SIGNATURE}</StringToSign><Resource>/bucket/b.tar.gz?${SIGNATURE}</Resource></Error>`;
    const cases: [number, string, number, RegExp][] = [
      [404, xml('NoSuchKey', 'The specified key does not exist.'), 4, /HTTP 404 .*\(NoSuchKey: The specified key/],
      [
        403,
        xml('AccessDenied', `expired \x1b[31m at http://x/?${SIGNATURE}`),
        5,
        /HTTP 403 .*AccessDenied: expired {2}at …/,
      ],
      [403, `{"error": "${SIGNATURE}"}`, 5, /HTTP 403 for Backup b\n/],
      [500, `<Message>${'x'.repeat(100_000)}`, 6, /HTTP 500 for Backup b\n/],
      [206, 'partial', 6, /HTTP 206/],
    ];
    for (const [status, body, code, message] of cases) {
      const { url } = await objectStore(t, (_, response) => response.writeHead(status).end(body));
      const stop = signs(t, url);
      const ran = await plugin('plan', 'r', '--from-backup', 'b');
      stop();
      assert.deepEqual([ran.code, ran.stdout], [code, ''], ran.stderr);
      assert.match(ran.stderr, message);
      assert.doesNotMatch(ran.stderr, /SECRET|\x1b/);
    }
  });

  it('is followed where its store sends on, but not for ever, and not from https to http', async (t) => {
    const store = await objectStore(t, (request, response) =>
      request.url?.startsWith('/bucket')
        ? response.writeHead(307, { location: '/elsewhere' }).end()
        : response.end(ARCHIVE),
    );
    const stop = signs(t, store.url);
    assert.equal((await plugin('plan', 'r', '--from-backup', 'b')).code, 0);
    stop();
    const circle = await objectStore(t, (_, response) => response.writeHead(302, { location: '/again' }).end());
    const stopCircle = signs(t, circle.url);
    await assert.rejects(contents(), { exitCode: 6, message: /redirects too often$/ });
    stopCircle();
    const certificate = selfSignedCertificate();
    const tls = await objectStore(
      t,
      (_, response) => response.writeHead(302, { location: store.url }).end(),
      certificate,
    );
    signs(t, tls.url);
    await assert.rejects(contents({ insecureSkipTlsVerify: true }), { message: /redirects to no http\(s\) address$/ });
  });

  it('is read from a store with a certificate of its own only by the flags, or by its location', async (t) => {
    const certificate = selfSignedCertificate();
    signs(t, (await objectStore(t, (_, response) => response.end(ARCHIVE), certificate)).url);
    const caFile = path.join(folder, 'ca.pem');
    await writeFile(caFile, certificate.cert);
    await writeFile(path.join(folder, 'other.pem'), 'none');

    const untrusted = await plugin('plan', 'r', '--from-backup', 'b');
    assert.equal(untrusted.code, 6);
    assert.match(untrusted.stderr, /its certificate is not trusted \([A-Z_]+\)\nhint: .*--backup-cacert/);
    for (const flags of [['--backup-cacert', caFile], ['--backup-insecure-skip-tls-verify']]) {
      const { code, stderr } = await plugin('plan', 'r', '--from-backup', 'b', ...flags);
      assert.deepEqual([code, stderr], [0, '']);
    }
    for (const [file, message] of Object.entries({ 'no.pem': /can't be read/, 'other.pem': /no certificate in it/ })) {
      await assert.rejects(contents({ caFile: path.join(folder, file) }), { exitCode: 2, message });
    }
    const caCert = Buffer.from(certificate.cert).toString('base64');
    cluster.create(velero('BackupStorageLocation', 'default', { objectStorage: { bucket: 'x', caCert } }));
    t.after(() => cluster.delete('backupstoragelocations', 'velero', 'default'));
    assert.equal((await plugin('plan', 'r', '--from-backup', 'b')).code, 0);
  });

  it('is not read from a store whose certificate has expired', async (t) => {
    const certificate = selfSignedCertificate(Date.now() - 60_000);
    signs(t, (await objectStore(t, (_, response) => response.end(ARCHIVE), certificate)).url);
    const caFile = path.join(folder, 'expired.pem');
    await writeFile(caFile, certificate.cert);
    await assert.rejects(contents({ caFile }), { exitCode: 6, message: /its certificate has expired$/ });
  });

  it('that breaks off, or is cut, is no plan', async (t) => {
    const cut = await objectStore(t, (_, response) => {
      response.writeHead(200, { 'content-length': ARCHIVE.length });
      response.write(ARCHIVE.subarray(0, 100), () => response.destroy());
    });
    const stop = signs(t, cut.url);
    const ran = await plugin('plan', 'r', '--from-backup', 'b');
    assert.equal(ran.code, 6);
    assert.match(ran.stderr, /the download of Backup b from 127\.0\.0\.1:\d+ broke off/);
    stop();
    signs(t, (await objectStore(t, (_, response) => response.end(ARCHIVE.subarray(0, 100)))).url);
    const short = await plugin('plan', 'r', '--from-backup', 'b');
    assert.deepEqual([short.code, /^error: Backup b: ends in the middle/.test(short.stderr)], [2, true], short.stderr);
  });

  it('with an address that leads nowhere is said with what helps', async (t) => {
    const stop = signs(t, 'http://127.0.0.1:9/bucket');
    await assert.rejects(contents(), { exitCode: 6, message: /connection refused$/, hint: /publicUrl/ });
    stop();
    signs(t, 'file:///etc/passwd');
    await assert.rejects(contents(), { exitCode: 6, message: /is no http\(s\) URL$/ });
  });

  const plugin = (...argv: string[]) => run(argv, { env: { KUBECONFIG: cluster.kubeconfigPath }, cwd: folder });

  async function contents(options: Partial<DownloadOptions> = {}): Promise<number> {
    const client = kubeClient(loadKubeConfig({ env: { KUBECONFIG: cluster.kubeconfigPath } } as never));
    let size = 0;
    try {
      for await (const chunk of await backupContents(client, 'velero', 'b', { env: {}, ...options }))
        size += chunk.length;
    } finally {
      client.close();
    }
    return size;
  }

  /** Answers DownloadRequests as a Velero server does, after they were read a few times. */
  function signs(t: TestContext, url: string, looks = 1): () => void {
    const seen = new Map<string, number>();
    const stop = cluster.intercept(({ verb, resource, name = '' }) => {
      if (verb !== 'get' || resource !== 'downloadrequests') return undefined;
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      if (count === looks) {
        const status = { phase: 'Processed', downloadURL: url };
        cluster.update('downloadrequests', 'velero', name, (current) => ({ ...current, status }));
      }
      return undefined;
    });
    t.after(stop);
    return stop;
  }
});

async function objectStore(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  certificate?: { readonly key: string; readonly cert: string },
) {
  const asked: string[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push(request.url ?? '');
    answer(request, response);
  };
  const server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const scheme = certificate === undefined ? 'http' : 'https';
  return { url: `${scheme}://127.0.0.1:${port}/bucket/b.tar.gz?${SIGNATURE}`, asked };
}
