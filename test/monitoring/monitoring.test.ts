import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { dump, load } from 'js-yaml';
import { ANNOTATION } from '../../shared/core/names.ts';
import { Phase } from '../../shared/core/report/run-document.ts';
import { METRICS } from '../../shared/core/report/run-metrics.ts';
import { serveMetrics } from '../../shared/telemetry/metrics-server.ts';
import { freePort } from '../free-port.ts';
import { without } from '../needs.ts';

/** What deploy/monitoring and docs/observing.md say of metrics, by the tools that read it (R8.77). */

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'restorehooks-monitoring-'));
after(() => rmSync(folder, { recursive: true }));

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const withPromtool = { skip: without("promtool, of Debian's package prometheus", has('promtool')) };
const withGo = { skip: without('Go', spawnSync('go', ['version']).error === undefined) };

function run(program: string, args: readonly string[], options: { cwd?: string; input?: string } = {}): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { ...options, encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** Of a PrometheusRule, the rules file that Prometheus reads. */
const rules = join(folder, 'rules.yaml');
writeFileSync(rules, dump((load(read('deploy/monitoring/prometheus-rule.yaml')) as { spec: object }).spec));

describe('the alerts', () => {
  it('are rules that Prometheus accepts', withPromtool, () => {
    assert.match(run('promtool', ['check', 'rules', '--lint-fatal', rules]), /SUCCESS: 7 rules found/);
  });

  it('fire when they should, and not before', withPromtool, () => {
    copyFileSync(join(ROOT, 'test/monitoring/alerts.yaml'), join(folder, 'alerts.yaml'));
    run('promtool', ['test', 'rules', 'alerts.yaml'], { cwd: folder });
  });

  it('are each tested, and each explained in docs/observing.md', () => {
    const alerts = [...read('deploy/monitoring/prometheus-rule.yaml').matchAll(/alert: (\w+)/g)].map(
      ([, name]) => name,
    );
    const tested = new Set(
      [...read('test/monitoring/alerts.yaml').matchAll(/alertname: (\w+)/g)].map(([, name]) => name),
    );
    const explained = [...read('docs/observing.md').matchAll(/^\| `(RestoreHooks\w+)`/gm)].map(([, name]) => name);
    assert.deepEqual(alerts, [...explained]);
    assert.deepEqual([...tested].sort(), [...alerts].sort());
  });
});

describe('the dashboard', () => {
  it("is one by Grafana's own schema, which knows every field of it", withGo, () => {
    const dashboard = join(ROOT, 'deploy/monitoring/dashboard.json');
    assert.match(run('go', ['run', '.', dashboard], { cwd: join(ROOT, 'test/monitoring/dashboard') }), /^15 panels$/m);
  });
});

describe('the configuration of kube-state-metrics', () => {
  it('knows each phase of a run', () => {
    const [, list = ''] = /list: \[(.*)\]/.exec(read('deploy/monitoring/kube-state-metrics.yaml')) ?? [];
    assert.deepEqual(list.split(', '), Phase.options);
  });

  // R8.78
  it('reads annotations that a run writes', () => {
    const named = [
      ...read('deploy/monitoring/kube-state-metrics.yaml').matchAll(/annotations, (restorehooks\.io\/\S+)\]/g),
    ];
    assert.deepEqual(
      named.map(([, key]) => key),
      [ANNOTATION.job, ANNOTATION.phase],
    );
  });
});

describe('the metrics', () => {
  it('of alerts and dashboard are all there', () => {
    const ofKubeStateMetrics = 'restorehooks_restore_run_phase';
    const known = [
      ofKubeStateMetrics,
      ...Object.entries(METRICS).map(([name, { type }]) => (type === 'histogram' ? `${name}_bucket` : name)),
    ];
    for (const file of ['prometheus-rule.yaml', 'dashboard.json']) {
      const used = new Set(read(`deploy/monitoring/${file}`).match(/\brestorehooks_[a-z_]+/g));
      assert.ok(used.size > 5, file);
      assert.deepEqual(
        [...used].filter((name) => !known.includes(name)),
        [],
        file,
      );
    }
  });

  it('are listed in docs/observing.md as they are', () => {
    const rows = Object.entries(METRICS).map(([name, { type, help, ...more }]) => {
      const labels = 'labels' in more ? more.labels.map((label) => `\`${label}\``).join(', ') : '';
      return `| \`${name}\` | ${type} | ${labels} | ${help} |`;
    });
    const listed = read('docs/observing.md').match(/^\| `restorehooks_.*$/gm);
    assert.deepEqual(listed, rows);
  });

  // R8.70
  it("are served as promtool's linter wants them", withPromtool, async () => {
    const port = await freePort();
    const server = await serveMetrics(port, '127.0.0.1');
    server.meter.observe('restorehooks_hook_duration_seconds', 1, { state: 'Failed' });
    server.meter.count('restorehooks_exec_requests_total', { outcome: 'exited' });
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    server.close();
    const own = text.split('\n').filter((line) => line.includes('restorehooks_'));
    assert.ok(own.length > 40);
    run('promtool', ['check', 'metrics'], { input: `${own.join('\n')}\n` });
  });
});
