import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { load } from 'js-yaml';
import { FindingsDocument } from '../../../../shared/core/lint/findings-document.ts';
import { RULES } from '../../../../shared/core/lint/lint.ts';
import type { Ran } from '../harness.ts';
import { run, stdinOf } from '../harness.ts';
import { lintCases } from './lint-velero-cases.ts';

const ROOT = path.join(import.meta.dirname, '../../../..');
const folder = mkdtempSync(path.join(tmpdir(), 'lint-'));
after(() => rmSync(folder, { recursive: true }));

interface Found {
  readonly id: string;
  readonly line: number;
  readonly column: number;
  readonly file: string;
  readonly severity: string;
  readonly message: string;
  readonly page: string;
  readonly path: string;
}

const lintText = (text: string, ...flags: string[]): Promise<Ran> =>
  run(['lint', '-f', '-', ...flags], { stdin: stdinOf(text) });
async function found(text: string): Promise<Found[]> {
  const { stdout, stderr, code } = await lintText(text, '-o', 'json', '--severity=info');
  assert.ok(code === 0 || code === 3, stderr);
  return JSON.parse(stdout).findings;
}

/** The text without the marker, and the marker's place. */
function marked(text: string): { text: string; line: number; column: number } {
  const at = text.indexOf('@@');
  assert.ok(at >= 0 && text.indexOf('@@', at + 1) < 0, `one marker: ${text}`);
  const lines = text.slice(0, at).split('\n');
  return { text: text.replace('@@', ''), line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const POD = (annotations: string): string => `apiVersion: v1
kind: Pod
metadata:
  name: web-0
  annotations:
${annotations}spec: {containers: [{name: main, image: x}]}
`;

describe('each rule', () => {
  it('has cases', () => assert.deepEqual(RULES.map(({ id }) => id).sort(), Object.keys(lintCases).sort()));

  // R7.11
  it('has an id of its own, a severity, one sentence of reason and one of fix', () => {
    assert.ok(RULES.length >= 20);
    assert.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length);
    for (const { id, severity, reason, fix } of RULES) {
      assert.match(id, /^[a-z]+(-[a-z]+)+$/);
      assert.match(severity, /^(error|warning|info)$/);
      assert.match(reason, /^[A-Z].*\.$/);
      assert.match(fix, /^[A-Z].*\.$/);
    }
  });

  it('has a section in docs/lint.md that says the same', () => {
    const sections = readFileSync(path.join(ROOT, 'docs/lint.md'), 'utf8').split(/^## /m).slice(1);
    assert.deepEqual(
      sections.map((section) => section.split('\n')[0]),
      RULES.map(({ id }) => id),
    );
    for (const [index, { severity, reason, fix }] of RULES.entries()) {
      const section = sections[index] ?? '';
      assert.ok(section.includes(`\n${severity}`) && section.includes(reason) && section.includes(fix), section);
    }
  });

  for (const [id, { bad, good }] of Object.entries(lintCases)) {
    it(`${id} is found where it is, and nowhere else`, async () => {
      for (const each of bad) {
        const { text, line, column } = marked(each);
        const all = await found(text);
        const places = all.filter((finding) => finding.id === id).map((finding) => [finding.line, finding.column]);
        assert.deepEqual(places, [[line, column]], `${text}\n${JSON.stringify(all, null, 1)}`);
      }
      for (const text of good) {
        const wrong = (await found(text)).filter((finding) => finding.id === id);
        assert.deepEqual(wrong, [], text);
      }
    });
  }
});

describe('lint', () => {
  it('finds nothing in the examples', async () => {
    const { code, stdout, stderr } = await run(['lint', '-f', path.join(ROOT, 'examples')]);
    assert.deepEqual([code, stdout], [0, ''], stderr);
  });

  it('prints place, severity, message, id and fix', async () => {
    const { code, stdout, stderr } = await lintText(
      POD('    post.hook.restore.velero.io/command: a b\n    post.hook.restore.velero.io/wait-timeout: 1m\n'),
    );
    assert.equal(code, 3);
    assert.equal(
      stdout,
      'stdin:6:42: warning: the exec hook of Pod web-0: all of "a …" is taken as the name of one program (command-needs-shell)\n' +
        '    Write it as ["/bin/sh", "-c", "…"], or as a list of separate arguments.\n',
    );
    assert.equal(stderr, '1 warning (1 more with --severity=info)\n');
  });

  // R7.11
  it('exits 3 from --fail-on upwards', async () => {
    const warning = POD('    post.hook.restore.velero.io/command: "true"\n');
    const codes = [];
    for (const level of ['error', 'warning', 'info']) codes.push((await lintText(warning, `--fail-on=${level}`)).code);
    assert.deepEqual(codes, [0, 3, 3]);
  });

  it('passes over what has no hooks', async () => {
    const text = '{"apiVersion":"velero.io/v1","kind":"Schedule"}\n{"apiVersion":"v1","kind":"ConfigMap","data":{}}';
    assert.deepEqual(await found(text), []);
    assert.deepEqual(await found('apiVersion: other.io/v1\nkind: Restore\nspec: {hooks: {resources: [{a: b}]}}\n'), []);
  });

  it('shows places in JSON, behind other JSON objects, in lists and behind aliases', async () => {
    const pod = JSON.stringify(
      { kind: 'Pod', metadata: { name: 'a', annotations: { 'post.hook.restore.velero.io/on-error': 'x' } } },
      null,
      2,
    );
    const places = async (text: string) => (await found(text)).map(({ line, column, id }) => `${line}:${column} ${id}`);
    assert.deepEqual(await places(pod), ['6:7 annotation-without-command']);
    assert.deepEqual(await places(`{"kind": "ConfigMap"}\n${pod}`), ['7:7 annotation-without-command']);
    assert.deepEqual(await places(`kind: List\nitems:\n- kind: ConfigMap\n- ${JSON.stringify(JSON.parse(pod))}\n`), [
      '4:55 annotation-without-command',
    ]);
    const alias = 'kind: Pod\nx: &a\n  post.hook.restore.velero.io/on-error: x\nmetadata: {name: a, annotations: *a}\n';
    assert.deepEqual(await places(alias), ['3:3 annotation-without-command']);
    const merge = alias.replace('annotations: *a', 'annotations: {<<: *a}');
    assert.deepEqual(await places(merge), ['3:3 annotation-without-command']);
  });

  it('says what it has not looked at, and how that is linted', async () => {
    const passedOver = async (text: string) => {
      const { code, stderr, stdout } = await lintText(text, '-o', 'json');
      const document = FindingsDocument.parse(JSON.parse(stdout));
      return { code, stderr, what: document.passedOver?.map(({ what }) => what) };
    };
    const others = await passedOver('apiVersion: k8up.io/v1\nkind: Restore\n---\napiVersion: v1\nkind: Service\n');
    assert.deepEqual([others.code, others.what], [0, ['Restore of k8up.io', 'Service']]);
    assert.equal(others.stderr, 'nothing was linted\npassed over: Restore of k8up.io, Service\n');
    const some = await passedOver(`${POD('    a: b\n')}---\nkind: Service\n---\nkind: Service\n`);
    assert.equal(some.stderr, 'nothing found\npassed over: 2 Service\n');
    const kust = await passedOver('apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n');
    assert.match(kust.stderr, /kubectl kustomize \. \| kubectl restorehooks lint -f -/);
    assert.match((await lintText('kind: Service\n', '-o', 'sarif')).stdout, /passed over: Service/);
  });

  it('says what of a file kubectl does not read', async () => {
    const { code, stderr } = await lintText(`${POD('    a: b\n')}...\n${POD('    a: b\n')}`);
    assert.deepEqual([code, /^warning: stdin:\d+: kubectl reads nothing of this/m.test(stderr)], [0, true], stderr);
  });

  it('takes input without any object, and a chart, for a mistake', async () => {
    for (const text of ['', '# nothing\n', '---\n']) {
      const { code, stderr } = await lintText(text);
      assert.deepEqual([code, stderr.split('\n')[0]], [2, 'error: nothing to lint: there is no object in stdin']);
    }
    const template = 'kind: Pod\nmetadata:\n  name: {{ include "shop.name" . }}-db\n';
    const chart = file('shop/templates/pod.yaml', template);
    const alone = await run(['lint', '-f', chart]);
    assert.equal(alone.code, 2);
    assert.ok(alone.stderr.includes(`helm template ${path.join(folder, 'shop')} | kubectl restorehooks lint -f -`));
    const pod = file('beside.yaml', POD('    post.hook.restore.velero.io/on-error: x\n'));
    const beside = await run(['lint', '-f', chart, '-f', pod]);
    assert.equal(beside.code, 3);
    assert.match(beside.stderr, /passed over: a Helm chart's template\n {4}lint what it makes: helm template /);
  });

  it('lints what it can read beside a file that it can not, and exits 2', async () => {
    const broken = file('broken-beside.yaml', 'a: [\n');
    const pod = file('beside.yaml', POD('    post.hook.restore.velero.io/on-error: x\n'));
    const { code, stdout, stderr } = await run(['lint', '-f', broken, '-f', pod]);
    assert.equal(code, 2);
    assert.match(stdout, /annotation-without-command/);
    assert.match(stderr, /error: \S*broken-beside\.yaml:\d+:\d+: /);
  });

  it('says at which character JSON ends, and what YAML made of its lines', async () => {
    const message = async (value: string) => {
      const all = await found(POD(`    post.hook.restore.velero.io/command: ${value}\n`));
      return all.find(({ id }) => id === 'command-json-invalid')?.message.replace(/^.*array of strings: /, '');
    };
    assert.equal(await message(`'["a", b]'`), 'at character 7 string 2 has no double quote before it');
    const folded = '; YAML has folded its 2 lines into one, with spaces between them';
    assert.equal(await message(`'["a && \\\n      b"]'`), `at character 8 "\\ " is no escape of JSON${folded}`);
    assert.equal(
      await message('|\n      ["a\n      b"]'),
      'at character 4 a line break in string 1; JSON writes it \\n; YAML keeps its 2 lines apart',
    );
  });

  it('shows the line within a text that stands in another object', async () => {
    const map = (rules: string) =>
      `kind: ConfigMap\ndata:\n  a.yaml: |\n    # why\n${rules.replace(/^(?=.)/gm, '    ')}`;
    const rules = 'version: v1\nresourceModifierRules:\n- conditions: {groupResource: pod}\n  mergePatches:\n';
    const patch =
      '  - patchData: |\n      metadata:\n        annotations:\n          post.hook.restore.velero.io/comand: x\n';
    const places = (await found(map(rules + patch))).map(({ id, line, column }) => `${line}:${column} ${id}`);
    assert.ok(places.includes('7:35 modifier-resource-unknown'), String(places));
    assert.ok(places.includes('12:15 annotation-key-unknown'), String(places));
  });

  it('says what it can not read or parse, and exits 2', async () => {
    for (const argv of [
      ['-f', path.join(folder, 'none.yaml')],
      ['-f', file('broken.yaml', 'a: [\n')],
      ['-f', '-', '--fix'],
      ['nightly', '--fix'],
      ['nightly', '-f', 'x'],
      [],
    ]) {
      const { code, stderr } = await run(['lint', ...argv], { stdin: stdinOf('') });
      assert.equal(code, 2, `${argv}: ${stderr}`);
    }
  });

  it('looks into directories, and with -R into those below', async () => {
    file('tree/a.yaml', POD('    post.hook.restore.velero.io/on-error: x\n'));
    file('tree/below/b.yml', POD('    post.hook.restore.velero.io/on-error: x\n'));
    const files = async (...flags: string[]) => {
      const { stdout } = await run(['lint', '-f', 'tree', '-o', 'json', ...flags], { cwd: folder });
      return JSON.parse(stdout).findings.map((finding: Found) => finding.file);
    };
    assert.deepEqual(await files(), ['tree/a.yaml']);
    assert.deepEqual(await files('-R'), ['tree/a.yaml', 'tree/below/b.yml']);
  });
});

describe('lint --fix', () => {
  const before = `# why it is so\r
apiVersion: v1\r
kind: Pod\r
metadata:\r
  annotations:   # hooks\r
    "post.hooks.restore.velero.io/command": '["true"]' # mistyped\r
    post.hook.restore.velero.io/onError: FAIL\r
    post.hook.restore.velero.io/wait-for-ready: yes # no string\r
    post.hook.restore.velero.io/wait-timeout:   '30 s'\r
    post.hook.restore.velero.io/exec-timeout: 1d\r
  name: web-0\r
spec: {containers: [{name: main, readinessProbe: {}}]}\r
`;
  const after = before
    .replace('post.hooks.', 'post.hook.')
    .replace('onError: FAIL', 'on-error: Fail')
    .replace(': yes', ': "true"')
    .replace("'30 s'", "'30s'")
    .replace('1d', '24h');

  it('changes what is mistyped and not a byte more, says so, and does nothing the second time', async () => {
    const full = file('fix.yaml', `\ufeff${before}`);
    const first = await run(['lint', '-f', 'fix.yaml', '--fix'], { cwd: folder });
    assert.equal(readFileSync(full, 'utf8'), `\ufeff${after}`);
    assert.deepEqual([first.code, first.stdout], [0, '']);
    assert.match(first.stderr, /fix\.yaml:6:5: fixed: "post\.hooks\.\S+ -> "post\.hook\.restore/);
    assert.equal(first.stderr.match(/: fixed: /g)?.length, 6);
    const second = await run(['lint', '-f', 'fix.yaml', '--fix'], { cwd: folder });
    assert.equal(readFileSync(full, 'utf8'), `\ufeff${after}`);
    assert.doesNotMatch(second.stderr, /fixed/);
  });

  it('leaves alone what would overwrite another key, and what stands behind an alias', async () => {
    const text = `kind: Pod
x: &bad 1d
metadata:
  name: a
  annotations:
    post.hook.restore.velero.io/command: "true"
    post.hook.restore.velero.io/comand: "false"
    post.hook.restore.velero.io/wait-timeout: *bad
spec: {containers: [{name: main}]}
`;
    const full = file('left.yaml', text);
    const { code, stderr } = await run(['lint', '-f', full, '--fix']);
    assert.equal(readFileSync(full, 'utf8'), text);
    assert.equal(code, 3);
    assert.doesNotMatch(stderr, /fixed/);
  });

  it('mends JSON as JSON', async () => {
    const json =
      '{"kind":"Pod","metadata":{"name":"a","annotations":{"post.hook.restore.velero.io/comand":"a","post.hook.restore.velero.io/wait-timeout":"1 m"}}}';
    const full = file('fix.json', `{"kind":"ConfigMap"}\n${json}\n`);
    await run(['lint', '-f', full, '--fix']);
    assert.equal(
      readFileSync(full, 'utf8'),
      `{"kind":"ConfigMap"}\n${json.replace('comand', 'command').replace('1 m', '1m')}\n`,
    );
  });
});

describe('the formats of lint', () => {
  const text = POD('    post.hook.restore.velero.io/on-error: "a%b"\n');

  it('json names place, page and counts', async () => {
    const document = JSON.parse((await lintText(text, '-o', 'json')).stdout);
    FindingsDocument.parse(document);
    assert.deepEqual([document.apiVersion, document.kind], ['restorehooks.io/v1', 'RestoreHookFindings']);
    assert.deepEqual(document.counts, { error: 1, warning: 0, info: 0 });
    const [finding] = document.findings as Found[];
    assert.equal(finding?.page, 'docs/lint.md#annotation-without-command');
    assert.equal(finding?.path, 'metadata.annotations["post.hook.restore.velero.io/on-error"]');
  });

  it('sarif has the shape of 2.1.0, with every rule', async () => {
    const full = file('with space.yaml', text);
    const { stdout } = await run(['lint', '-f', path.basename(full), '-o', 'sarif'], { cwd: folder });
    const log = JSON.parse(stdout);
    assert.equal(log.version, '2.1.0');
    const [{ tool, results, columnKind }] = log.runs;
    assert.equal(columnKind, 'utf16CodeUnits');
    assert.equal(tool.driver.name, 'kubectl-restorehooks');
    assert.deepEqual(
      tool.driver.rules.map(({ id }: { id: string }) => id),
      RULES.map(({ id }) => id),
    );
    for (const rule of tool.driver.rules) {
      assert.match(rule.defaultConfiguration.level, /^(error|warning|note)$/);
      assert.ok(rule.shortDescription.text && rule.help.text);
    }
    const [{ ruleId, ruleIndex, level, message, locations }] = results;
    assert.equal(tool.driver.rules[ruleIndex].id, ruleId);
    assert.equal(level, 'error');
    assert.ok(message.text);
    assert.deepEqual(locations[0].physicalLocation, {
      artifactLocation: { uri: 'with%20space.yaml' },
      region: { startLine: 6, startColumn: 5 },
    });
  });

  it('github writes workflow commands that no text can break', async () => {
    const { stdout } = await run(['lint', '-f', file('a%b:c.yaml', text), '-o', 'github']);
    assert.match(
      stdout,
      /^::error file=[^,:]*a%25b%3Ac\.yaml,line=6,col=5,title=annotation-without-command::[^\n]*\n$/,
    );
  });
});

describe('the examples for lint', () => {
  const bin = path.join(folder, 'bin');
  mkdirSync(bin);
  const stub = path.join(bin, 'kubectl-restorehooks');
  writeFileSync(stub, `#!/bin/sh\nexec '${process.execPath}' '${ROOT}/plugin/main.ts' "$@"\n`);
  chmodSync(stub, 0o755);
  const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: folder };
  const good = file('good/manifests/pod.yaml', readFileSync(path.join(ROOT, 'examples/restore.yaml'), 'utf8'));
  file('bad/manifests/pod.yaml', readFileSync(good, 'utf8').replace('/on-error:', '/onerror:'));

  it('lint-in-ci.sh passes good manifests, fails bad ones, and leaves a report', () => {
    const ci = (at: string, more = {}) =>
      spawnSync(path.join(ROOT, 'examples/lint-in-ci.sh'), [], {
        cwd: path.join(folder, at),
        env: { ...env, ...more },
        encoding: 'utf8',
      });
    assert.deepEqual([ci('good').status, ci('bad').status], [0, 3]);
    assert.match(ci('bad', { GITHUB_ACTIONS: 'true' }).stdout, /^::error file=manifests\/pod\.yaml,line=\d+/);
    const report = JSON.parse(readFileSync(path.join(folder, 'bad/restorehooks.sarif'), 'utf8'));
    assert.equal(report.runs[0].results.length, 1);
  });

  it('pre-commit-config.yaml names a command that passes good manifests and fails bad ones', () => {
    const config = load(readFileSync(path.join(ROOT, 'examples/pre-commit-config.yaml'), 'utf8')) as {
      repos: { hooks: { entry: string; args: string[]; files: string }[] }[];
    };
    const [hook] = config.repos[0]?.hooks ?? [];
    assert.ok(hook);
    assert.match('manifests/pod.yaml', new RegExp(hook.files));
    const [command = '', ...args] = [...hook.entry.split(' '), ...hook.args];
    execFileSync(path.join(bin, command), args, { cwd: path.join(folder, 'good'), env, stdio: 'pipe' });
    assert.equal(spawnSync(path.join(bin, command), args, { cwd: path.join(folder, 'bad'), env }).status, 3);
  });
});
