import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { credentialSource } from '../../../../shared/kubernetes/connect/credentials.ts';
import { awsHost, describeHeaders, eksConfig, eksToken } from '../../../../shared/kubernetes/connect/eks.ts';
import { refusal } from '../../../aws/authenticator.ts';
import { awscli, noPip } from '../../../aws/awscli.ts';

const KEYS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
/** Contains every character that is encoded in a URL. */
const SESSION = { ...KEYS, sessionToken: "IQoJb3JpZ2luX2VjEL//////////wEaCXVzLWVhc3QtMSJ+/= !*'()~==" };
const NOW = Date.UTC(2026, 0, 9, 3, 4, 5, 678);
const ENV = {
  AWS_ACCESS_KEY_ID: SESSION.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SESSION.secretAccessKey,
  AWS_SESSION_TOKEN: SESSION.sessionToken,
};
const PLACE = { name: 'prod', region: 'eu-central-1', endpoint: 'https://10.0.0.1', certificateAuthority: 'eA==' };

interface Answer {
  readonly token: string;
  readonly describe: { readonly url: string; readonly authorization: string };
}

describe('the token of EKS', () => {
  // R8.9
  it("is that of awscli's own code, byte for byte, in all regions of all partitions", {
    skip: noPip,
  }, () => {
    const regions = awscli('regions') as string[];
    assert.ok(regions.length > 30 && regions.includes('cn-north-1') && regions.includes('us-gov-west-1'), `${regions}`);
    const cases = regions.flatMap((region) => [
      { ...KEYS, region, name: 'prod', now: NOW },
      { ...SESSION, region, name: 'prod', now: NOW },
    ]);
    const names = ['a', '0', 'A-b_c-', 'x'.repeat(100), 'a--b__c', '1b2f8d6e-3c34-4a3f-9d56-0d3f0b2c9f11'];
    for (const name of names) cases.push({ ...SESSION, region: 'eu-west-1', name, now: NOW + 86_400_000 });
    for (const now of [Date.UTC(2024, 1, 29, 23, 59, 59, 999), Date.UTC(2027, 0, 1)])
      cases.push({ ...KEYS, region: 'us-east-1', name: 'prod', now });
    const answers = awscli(cases) as Answer[];
    assert.equal(answers.length, cases.length);
    for (const [index, { now, name, region, ...credentials }] of cases.entries()) {
      const { token, describe: described } = answers[index] as Answer;
      assert.equal(eksToken({ name, region }, credentials, now), token, `${name} in ${region}`);
      const host = awsHost('eks', region);
      assert.equal(new URL(described.url).host, host);
      const headers = describeHeaders({ name, region }, host, credentials, now);
      assert.equal(headers['authorization'], described.authorization, `DescribeCluster of ${name} in ${region}`);
    }
  });

  it('is taken by an authenticator for its own cluster, until 15 minutes have passed, and by no other', () => {
    for (const keys of [KEYS, SESSION]) {
      for (const region of ['us-west-2', 'cn-northwest-1', 'us-gov-east-1']) {
        const token = eksToken({ name: 'prod', region }, keys, NOW);
        const known = { ...keys, cluster: 'prod' };
        assert.equal(refusal(token, known, NOW + 14 * 60_000), undefined);
        assert.equal(refusal(token, known, NOW + 15 * 60_000), 'time');
        assert.equal(refusal(token, { ...known, cluster: 'other' }, NOW), 'signature');
        assert.equal(refusal(token, { ...known, secretAccessKey: 'other' }, NOW), 'signature');
        assert.equal(refusal(token, { ...known, accessKeyId: 'other' }, NOW), 'credential');
        assert.equal(refusal(token, { ...known, sessionToken: 'other' }, NOW), 'session');
      }
    }
  });

  it('is kept, and made anew before it is refused for its age, and when it was refused', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: NOW });
    const source = credentialSource(await eksConfig(PLACE, ENV));
    const token = async () => (await source.get()).authorization?.replace('Bearer ', '') ?? '';
    const first = await token();
    assert.equal(refusal(first, { ...SESSION, cluster: 'prod' }, Date.now()), undefined);
    t.mock.timers.setTime(NOW + 13 * 60_000);
    assert.equal(await token(), first);
    source.forget();
    const second = await token();
    assert.notEqual(second, first);
    t.mock.timers.setTime(NOW + (13 + 14) * 60_000);
    const third = await token();
    assert.equal(refusal(third, { ...SESSION, cluster: 'prod' }, Date.now()), undefined);
    assert.notEqual(third, second);
  });

  it('is signed with the keys that the environment has at that moment', async () => {
    const env: NodeJS.ProcessEnv = { ...ENV };
    const source = credentialSource(await eksConfig(PLACE, env));
    delete env['AWS_SECRET_ACCESS_KEY'];
    await assert.rejects(source.get(), {
      code: 'FORBIDDEN',
      message: /AWS_SECRET_ACCESS_KEY are not in the environment/,
    });
    env['AWS_SECRET_ACCESS_KEY'] = SESSION.secretAccessKey;
    assert.match((await source.get()).authorization ?? '', /^Bearer k8s-aws-v1\.[\w-]+$/);
  });
});

describe('a cluster of EKS', () => {
  async function answering(status: number, body: unknown) {
    const seen: { url: string | undefined; authorization: string | undefined; host: string | undefined }[] = [];
    const server = createServer(({ url, headers: { authorization, host } }, response) => {
      seen.push({ url, authorization, host });
      response.writeHead(status).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { name, region } = PLACE;
    try {
      const config = await eksConfig({ name, region }, { ...ENV, AWS_ENDPOINT_URL_EKS: endpoint }).catch(
        (error) => error,
      );
      return { config, seen };
    } finally {
      server.close();
    }
  }

  it('is asked for by its name where its address is not known, with a signature', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: NOW });
    const cluster = {
      name: 'prod',
      endpoint: 'https://ABC.gr7.eu-central-1.eks.amazonaws.com/',
      certificateAuthority: { data: 'eA==' },
    };
    const { config, seen } = await answering(200, { cluster });
    assert.deepEqual(config.cluster, {
      name: 'prod',
      server: 'https://ABC.gr7.eu-central-1.eks.amazonaws.com',
      caData: 'eA==',
      skipTLSVerify: false,
    });
    const [{ url, authorization, host = '' } = {}] = seen;
    assert.equal(url, '/clusters/prod');
    assert.equal(
      authorization,
      describeHeaders({ name: 'prod', region: 'eu-central-1' }, host, SESSION, NOW)['authorization'],
    );
  });

  it('that can not be described is an error of its kind, which quotes nothing', async () => {
    for (const [status, code] of [
      [403, 'FORBIDDEN'],
      [404, 'INVALID_INPUT'],
      [500, 'CLUSTER_UNREACHABLE'],
      [200, 'CLUSTER_UNREACHABLE'],
    ] as const) {
      const { config } = await answering(status, { message: 'secret' });
      assert.equal(config.code, code);
      assert.doesNotMatch(`${config.message} ${config.hint}`, /secret/);
    }
  });

  it('behind a proxy is refused, and not gone to past it', async () => {
    await assert.rejects(eksConfig(PLACE, { ...ENV, HTTPS_PROXY: 'http://user:secret@proxy:1' }), (error: Error) => {
      assert.match(error.message, /a proxy is set for https:\/\/10\.0\.0\.1/);
      return !error.message.includes('secret');
    });
  });
});
