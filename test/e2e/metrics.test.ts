import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import parsePrometheus from 'parse-prometheus-text-format';
import { freePort } from '../free-port.ts';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, isReal, mark, sh, startSuite, waitFor } from './harness.ts';

/** What a run counts and measures, and its spans. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const SECRET = 'h8-secret';

async function sceneWith(title: string): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.pod('web-1');
  const failing = exec(sh(`echo ${SECRET}; exit 3`), { onError: 'Continue' });
  const hooks = [entry([exec(mark('first')), failing, exec(gated(), { execTimeout: '5m' })])];
  await scene.restore({ hooks, status: { phase: 'Completed' } });
  return scene;
}
const begun = (scene: Scene) =>
  waitFor('the last hooks', async () => {
    const marks = await Promise.all(['web-0', 'web-1'].map((pod) => scene.marks(pod)));
    return marks.every((each) => each.includes('begun'));
  });
const openAll = (scene: Scene) => Promise.all(['web-0', 'web-1'].map((pod) => scene.open(pod)));

async function addressOf(scene: Scene): Promise<string> {
  if (!isReal) return '127.0.0.1';
  const [job] = await scene.jobs();
  const [pod] = await cluster.list('pods', velero, `batch.kubernetes.io/job-name=${job.metadata.name}`);
  return pod.status.podIP;
}

/** All samples of one metric: its values by their labels. */
type Family = { name: string; type: string; metrics: Loose[] };
async function scrape(address: string, port: number): Promise<{ text: string; families: Map<string, Family> }> {
  const response = await fetch(`http://${address}:${port}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  return { text, families: new Map((parsePrometheus(text) as Family[]).map((family) => [family.name, family])) };
}
const sampleOf = (families: ReadonlyMap<string, Family>, name: string, labels: Record<string, string> = {}) =>
  Number(
    families
      .get(name)
      ?.metrics.find((metric) => Object.entries(labels).every(([label, value]) => metric.labels?.[label] === value))
      ?.value,
  );

describe('the metrics of a run', { concurrency: true }, () => {
  for (const runner of ['job', 'local']) {
    // R8.70, R8.71, R8.72
    it(`are served while it goes on, and stand in its document at its end (--runner=${runner})`, async () => {
      const scene = await sceneWith(`metrics-${runner}`);
      const port = isReal && runner === 'job' ? 9464 : await freePort();
      const args = ['-o', 'json', `--runner=${runner}`, `--metrics-port=${port}`];
      const apply = e2e.plugin.start('apply', scene.name, '-n', velero, ...args);
      await begun(scene);
      const address = runner === 'job' ? await addressOf(scene) : '127.0.0.1';
      const { text, families } = await scrape(address, port);
      assert.equal((await fetch(`http://${address}:${port}/healthz`)).status, 200);
      assert.equal((await fetch(`http://${address}:${port}/`)).status, 404);
      assert.equal((await fetch(`http://${address}:${port}/metrics`, { method: 'POST' })).status, 405);
      const value = (name: string, labels?: Record<string, string>) =>
        sampleOf(families, `restorehooks_${name}`, labels);
      assert.deepEqual(
        [
          value('hooks_planned'),
          value('hooks', { state: 'Running' }),
          value('hooks', { state: 'Succeeded' }),
          value('hooks', { state: 'Failed', reason: 'exit' }),
          value('run_phase', { phase: 'InProgress' }),
          value('run_phase', { phase: 'Completed' }),
          value('hook_starts_total'),
          value('exec_requests_total', { outcome: 'exited' }),
        ],
        [6, 2, 2, 2, 1, 0, 6, 4],
        text,
      );
      assert.ok(value('api_requests_total', { verb: 'watch', resource: 'pods', code: '200' }) >= 1, text);
      assert.ok(value('api_requests_total', { verb: 'patch', resource: 'configmaps', code: '200' }) >= 1, text);
      for (const name of ['hook_duration', 'hook_wait', 'container_to_command', 'journal_write_duration']) {
        // The parser drops the labels of histograms.
        assert.match(text, new RegExp(`^restorehooks_${name}_seconds_count(?:\\{.*\\})? [1-9]`, 'm'));
      }
      for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds']) {
        assert.ok(families.has(name), name);
      }
      // Labels name no pod, and nothing tells a command or what it prints.
      for (const hidden of ['web-0', SECRET, 'gate', 'marks']) assert.ok(!text.includes(hidden), hidden);
      await openAll(scene);
      const ran = await apply.done;
      assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
      const { metrics } = ran.json();
      assert.deepEqual(metrics.restorehooks_hook_starts_total, [{ value: 6 }]);
      assert.deepEqual(metrics.restorehooks_exec_requests_total, [{ labels: { outcome: 'exited' }, value: 6 }]);
      const durations = metrics.restorehooks_hook_duration_seconds;
      assert.deepEqual(durations.map(({ labels, count }: Loose) => [labels.state, count]).sort(), [
        ['Failed', 2],
        ['Succeeded', 4],
      ]);
      assert.deepEqual((await scene.status()).json().metrics, metrics);
    });
  }

  // R8.73
  it('on a port that is in use end the command with 2, and nothing is started', async () => {
    const scene = await sceneWith('metrics-in-use');
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ran = await scene.apply('--runner=local', `--metrics-port=${port}`);
    server.close();
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(
      ran.stderr,
      new RegExp(`^error: --metrics-port ${port}: the port is in use; nothing is started$`, 'm'),
    );
    assert.deepEqual([await scene.annotations(), await scene.marks('web-0')], [{}, []]);
    for (const wrong of ['0', '65536', 'http']) {
      const refused = await scene.apply(`--metrics-port=${wrong}`);
      assert.equal(refused.code, 2, refused.stderr);
      assert.match(refused.stderr, /for --metrics-port: expected a whole number from 1 to 65535/);
    }
  });
});

interface Told {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** A collector: it keeps what it is sent by OTLP over HTTP. */
async function collector() {
  const spans: Told[] = [];
  const texts: string[] = [];
  const services = new Set<string>();
  const attributesOf = (list: Loose[]) =>
    Object.fromEntries(
      list.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue ?? value.doubleValue)]),
    );
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    texts.push(`${request.url} ${text}`);
    for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
      services.add(`${attributesOf(resource.attributes)['service.name']}`);
      for (const span of scopeSpans.flatMap(({ spans: all }: Loose) => all)) {
        spans.push({ ...span, attributes: attributesOf(span.attributes) });
      }
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    texts,
    services,
    close: () => server.close(),
  };
}

/** Notes which pieces of a program Node compiles. */
const NOTING = `const vm = process.getBuiltinModule('node:vm');
const fs = process.getBuiltinModule('node:fs');
const { compileFunction } = vm;
vm.compileFunction = (code, ...more) => {
  const used = ['process_cpu_user_seconds_total', 'W3CTraceContextPropagator'].filter((text) => code.includes(text));
  fs.appendFileSync(process.env.PIECES, ['piece', ...used].join(' ') + '\\n');
  return compileFunction(code, ...more);
};`;

describe('the libraries for metrics and spans', {
  concurrency: true,
  skip: isReal && 'it looks into the processes',
}, () => {
  // R8.75
  const asked: readonly [
    what: string,
    args: readonly string[],
    env: Record<string, string>,
    used: readonly string[],
  ][] = [
    ['nobody', [], {}, []],
    ['--metrics-port', ['--metrics-port'], {}, ['process_cpu_user_seconds_total']],
    ['a variable', [], { OTEL_TRACES_EXPORTER: 'console' }, ['W3CTraceContextPropagator']],
    ['OTEL_SDK_DISABLED, too', [], { OTEL_TRACES_EXPORTER: 'console', OTEL_SDK_DISABLED: 'true' }, []],
  ];
  for (const runner of ['job', 'local']) {
    it(`are loaded only for a run that asks for them (--runner=${runner})`, async () => {
      const preload = join(cluster.folder, 'noting.cjs');
      await writeFile(preload, NOTING);
      for (const [index, [what, args, more, used]] of asked.entries()) {
        const scene = await sceneWith(`lazy-${runner}-${index}`);
        await openAll(scene);
        const pieces = join(cluster.folder, `pieces-${runner}-${index}`);
        const env = { ...more, PIECES: pieces, NODE_OPTIONS: `--require=${preload}` };
        const patch = join(cluster.folder, `lazy-${runner}-${index}.yaml`);
        const container = { name: 'runner', env: Object.entries(env).map(([name, value]) => ({ name, value })) };
        await writeFile(patch, JSON.stringify({ spec: { template: { spec: { containers: [container] } } } }));
        const plugin = runner === 'local' ? e2e.plugin.with({ env }) : e2e.plugin;
        const port = await Promise.all(args.map(async (flag) => `${flag}=${await freePort()}`));
        const how = runner === 'local' ? [] : [`--job-patch=${patch}`];
        const ran = await plugin(
          'apply',
          scene.name,
          '-n',
          velero,
          '-o',
          'json',
          `--runner=${runner}`,
          ...port,
          ...how,
        );
        assert.equal(ran.code, 0, ran.stderr);
        const lines = (await readFile(pieces, 'utf8')).split('\n');
        assert.ok(lines.filter((line) => line.startsWith('piece')).length > 3, what);
        assert.deepEqual([...new Set(lines.flatMap((line) => line.split(' ').slice(1)))], used, what);
      }
    });
  }
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;

describe('the spans of a run', { concurrency: true }, () => {
  for (const runner of isReal ? ['local'] : ['job', 'local']) {
    // R8.74, R8.76
    it(`are run, wave, hook and try, below the span of TRACEPARENT (--runner=${runner})`, async () => {
      const scene = await sceneWith(`spans-${runner}`);
      const { url, spans, texts, services, close } = await collector();
      const patch = join(cluster.folder, `spans-${runner}.yaml`);
      const container = { name: 'runner', env: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: url }] };
      await writeFile(patch, JSON.stringify({ spec: { template: { spec: { containers: [container] } } } }));
      const plugin = e2e.plugin.with({
        env: {
          TRACEPARENT,
          ...(runner === 'local' && { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: 'mine' }),
        },
      });
      const args = runner === 'job' ? [`--job-patch=${patch}`] : ['--runner=local'];
      const apply = plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...args);
      await begun(scene);
      await openAll(scene);
      const ran = await apply.done;
      // A runner sends the last spans once the status tells the end, so apply may be over before.
      await waitFor('the span of the run', async () => spans.some(({ name }) => name === 'run'));
      close();
      assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
      assert.ok(texts.every((text) => text.startsWith('/v1/traces ')));
      assert.deepEqual([...services], [runner === 'local' ? 'mine' : 'restorehooks']);
      assert.ok(spans.every(({ traceId }) => traceId === TRACE));
      const named = (name: string) => spans.filter((span) => span.name === name);
      const parentsOf = (name: string) => new Set(named(name).map(({ parentSpanId }) => parentSpanId));
      const idsOf = (name: string) => new Set(named(name).map(({ spanId }) => spanId));
      assert.deepEqual(
        ['run', 'wave', 'hook', 'try'].map((name) => named(name).length),
        [1, 1, 6, 6],
      );
      assert.deepEqual([...parentsOf('run')], [PARENT]);
      assert.deepEqual(parentsOf('wave'), idsOf('run'));
      assert.deepEqual(parentsOf('hook'), idsOf('wave'));
      assert.deepEqual(parentsOf('try'), idsOf('hook'));
      const failed = named('hook').find(({ attributes }) => attributes['process.exit.code'] === 3);
      assert.deepEqual(
        [failed?.attributes['restorehooks.hook.state'], failed?.attributes['error.type']],
        ['Failed', 'exit'],
      );
      assert.equal(named('run')[0]?.attributes['restorehooks.run.phase'], 'CompletedWithFailures');
      for (const hidden of [SECRET, 'gate', 'marks']) assert.ok(!texts.join().includes(hidden), hidden);
    });
  }

  // R8.74
  it('that no collector takes delay and fail no run; the run warns of them once', async () => {
    const scene = await sceneWith('spans-lost');
    await openAll(scene);
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}` };
    const ran = await e2e.plugin.with({ env })('apply', scene.name, '-n', velero, '-o', 'json', '--runner=local');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.equal(ran.stderr.match(/^warning: .*has not taken all spans of this run$/gm)?.length, 1, ran.stderr);
  });
});
