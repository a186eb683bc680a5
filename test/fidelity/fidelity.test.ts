import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import type { Connections } from '../../shared/kubernetes/connect/connection.ts';
import { connections } from '../../shared/kubernetes/connect/connection.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { testbed } from '../cluster/bed.ts';
import { startEmbeddedCluster } from '../embedded/server.ts';
import type { Answer } from './normal.ts';
import { play } from './player.ts';
import { scenes } from './scenes.ts';

/*
 * The tests' own API server must answer as the real one does. The requests are in `corpus/`, the real server's answers in
 * `recording.json`. `npm run test:cluster` compares these with a real server again. After a change of the corpus:
 *
 *   RESTOREHOOKS_RECORD=1 bash test/cluster/run.sh test/fidelity/fidelity.test.ts
 *
 * A difference is a fault of the embedded server: correct it there.
 */
const isReal = process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1';
const records = isReal && process.env['RESTOREHOOKS_RECORD'] === '1';
const file = new URL('recording.json', import.meta.url);

type Recording = Record<string, Record<string, Answer[]>>;
const recording: Recording = records ? {} : JSON.parse(readFileSync(file, 'utf8'));

function compare(server: string, connected: () => Connections): void {
  describe(server, { concurrency: true }, () => {
    if (records && server === 'the real server') after(write);
    for (const scene of scenes) {
      it(scene.name, async () => {
        const answers = await play(() => connected().open(), scene);
        if (records && server === 'the real server') recording[scene.name] = answers;
        const recorded = recording[scene.name] ?? {};
        // One comparison for each case, so that all differences are shown.
        const differing = Object.keys(answers).filter((name) => !isSame(answers[name], recorded[name]));
        const only = (of: Record<string, Answer[]>) => Object.fromEntries(differing.map((name) => [name, of[name]]));
        assert.deepEqual(only(answers), only(recorded));
        assert.deepEqual(Object.keys(answers), Object.keys(recorded), 'the recording is of another corpus');
      });
    }
  });
}

/** One line a case. */
function write(): void {
  const text = scenes.map(({ name }) => {
    const cases = Object.entries(recording[name] ?? {}).map(
      ([key, answers]) => `  ${JSON.stringify(key)}: ${JSON.stringify(answers)}`,
    );
    return ` ${JSON.stringify(name)}: {\n${cases.join(',\n')}\n }`;
  });
  writeFileSync(file, `{\n${text.join(',\n')}\n}\n`);
}

function isSame(actual: unknown, expected: unknown): boolean {
  try {
    assert.deepEqual(actual, expected);
    return true;
  } catch {
    return false;
  }
}

/**
 * A new cluster's API server still knows version 1. It forgets it when etcd is compacted, which it asks for every five
 * minutes, and when it starts again.
 */
async function forgetHistory(): Promise<void> {
  const ask = async (what: string, body: object) => {
    const response = await fetch(`http://127.0.0.1:2379/v3/kv/${what}`, { method: 'POST', body: JSON.stringify(body) });
    assert.ok(response.ok, `${what}: ${response.status}`);
    return (await response.json()) as { header: { revision: string } };
  };
  const { header } = await ask('range', { key: Buffer.from('/').toString('base64') });
  await ask('compaction', { revision: header.revision, physical: true });
  await testbed('kill', 'apiserver');
  await testbed('start', 'apiserver');
  await testbed('waken');
}

describe('the same requests are answered alike by', () => {
  if (isReal) {
    const connected = connections(loadKubeConfig({ env: process.env }));
    before(forgetHistory);
    after(() => connected.close());
    compare('the real server', () => connected);
  }
  let connected: Connections | undefined;
  const cluster = startEmbeddedCluster();
  it('(the embedded one is up)', async () => {
    connected = connections(loadKubeConfig({ env: { KUBECONFIG: (await cluster).kubeconfigPath } }));
  });
  after(async () => {
    connected?.close();
    await (await cluster).close();
  });
  compare('the embedded server', () => connected as Connections);
});
