/** Each rule with manifests in which it finds something, and others. `@@` marks the place that the finding must name. */
export interface LintCase {
  readonly bad: readonly string[];
  readonly good: readonly string[];
}

export const EXEC = 'post.hook.restore.velero.io';
const OURS = 'post.hook.restorehooks.io';
const INIT = 'init.hook.restore.velero.io';

/** A line `key: value` may begin with the marker. */
const indented = (lines: readonly string[], by: number): string =>
  lines.map((line) => `${' '.repeat(by)}${line}\n`).join('');

export const podWith = (...annotations: string[]): string => `apiVersion: v1
kind: Pod
metadata:
  name: web-0
  namespace: shop
  labels: {app: web}
  annotations:
    example.com/owner: "me"
${indented(annotations, 4)}spec:
  initContainers:
    - {name: setup, image: "example.com/setup:1"}
    - {name: log, image: "example.com/log:1", restartPolicy: Always}
  containers:
    - {name: main, image: "example.com/web:1", readinessProbe: {tcpSocket: {port: 80}}}
    - {name: side, image: "example.com/side:1"}
`;
/** A pod with a correct hook, except for what is given. */
export const execPod = (...annotations: string[]): string => {
  const has = (key: string) => annotations.some((line) => line.includes(`${EXEC}/${key}:`));
  return podWith(
    ...(has('command') ? [] : [`${EXEC}/command: '["true"]'`]),
    ...(has('wait-timeout') ? [] : [`${EXEC}/wait-timeout: 5m`]),
    ...annotations,
  );
};
export const initPod = (...annotations: string[]): string => {
  const has = (key: string) => annotations.some((line) => line.includes(`/${key}:`));
  return podWith(
    ...(has('container-image') ? [] : [`${INIT}/container-image: busybox:1`]),
    ...(has('command') ? [] : [`${INIT}/command: '["true"]'`]),
    ...annotations,
  );
};

/** A pod with a correct hook of ours, and these values of it. */
const ourPod = (...values: string[]): string =>
  podWith(`${OURS}/command: '["true"]'`, ...values.map((value) => `${OURS}/${value}`));

const INIT_CONTAINER = '{name: i, image: "x:1", command: ["true"]}';
/** A document of ours. */
const hooksOf = (...lines: string[]): string => `apiVersion: restorehooks.io/v1
kind: RestoreHooks
spec:
  resources:
${indented(lines, 4)}`;

export const restoreOf = (...lines: string[]): string => `apiVersion: velero.io/v1
kind: Restore
metadata: {name: nightly, namespace: velero}
spec:
  backupName: nightly
  hooks:
    resources:
${indented(lines, 6)}`;
export const execEntry = (...fields: string[]): string => {
  const has = (key: string) => fields.some((line) => line.includes(`${key}:`));
  return restoreOf(
    '- name: warm-up',
    '  postHooks:',
    '    - exec:',
    ...indentedLines(
      [...(has('command') ? [] : ['command: ["true"]']), ...(has('waitTimeout') ? [] : ['waitTimeout: 5m']), ...fields],
      8,
    ),
  );
};
export const initEntry = (container: string): string =>
  restoreOf('- name: warm-up', '  postHooks:', `    - init: {initContainers: [${container}]}`);
/** An entry with one good hook. */
export const entry = (...fields: string[]): string =>
  restoreOf(
    ...(fields.some((line) => line.includes('name:')) ? [] : ['- name: warm-up']),
    ...fields,
    '  postHooks: [{exec: {command: ["true"], waitTimeout: 5m}}]',
  );
const indentedLines = (lines: readonly string[], by: number): string[] => lines.map((line) => ' '.repeat(by) + line);

export const workload = (kind: string, metadata: string, template: string): string =>
  kind === 'CronJob'
    ? `apiVersion: batch/v1
kind: CronJob
metadata: {name: web, namespace: shop${metadata}}
spec:
  jobTemplate: {spec: {template: {metadata: {labels: {app: web}${template}}, spec: {containers: [{name: main, image: "x:1"}]}}}}
`
    : `apiVersion: apps/v1
kind: ${kind}
metadata: {name: web, namespace: shop${metadata}}
spec:
  template: {metadata: {labels: {app: web}${template}}, spec: {containers: [{name: main, image: "x:1"}]}}
`;
const flow = (at = ''): string => `, annotations: {${at}${EXEC}/command: '["true"]', ${EXEC}/wait-timeout: 1m}`;
export const and = (...texts: string[]): string => texts.join('---\n');
export const PLAIN = podWith();

export const hookCases: Readonly<Record<string, LintCase>> = {
  'annotation-key-unknown': {
    bad: [
      execPod(`@@${EXEC}/onerror: Fail`),
      execPod(`@@"${EXEC}/exec-timeot": 1m`),
      initPod(`@@${INIT}/image: busybox:1`),
      execPod('@@post.hook.restorehooks.io/retries: "1"'),
      execPod(`@@${EXEC}/timeout: 1m`),
    ],
    good: [
      execPod(`${EXEC}/on-error: Fail`),
      podWith('pre.hook.backup.velero.io/timeout: 1m', 'backup.velero.io/backup-volumes: data', 'helm.sh/hook: test'),
    ],
  },
  'annotation-prefix-unknown': {
    bad: [
      podWith('@@post.hooks.restore.velero.io/command: "true"'),
      podWith('@@post.hook.restore.velero.io.command: "true"'),
      podWith('@@Post.Hook.Restore.Velero.IO/command: "true"'),
      podWith('@@hook.restore.velero.io/command: "true"'),
      podWith('@@post.hook.velero.io/command: "true"'),
      podWith('@@init.hook.restore.valero.io/container-image: busybox:1'),
      podWith('@@post.hook.restorehook.io/command: "true"'),
    ],
    good: [
      podWith(
        'post.hook.backup.velero.io/command: "true"',
        'argocd.argoproj.io/hook: PostSync',
        'restorehooks.io/phase: Completed',
        'velero.io/exclude-from-backup: "true"',
        'post-hook.example.com/command: x',
      ),
    ],
  },
  // R3.40
  'annotation-without-effect': {
    bad: [
      execPod(`@@${EXEC}/wave: "1"`),
      execPod(`@@${EXEC}/retry-attempts: "3"`),
      execPod(`@@${EXEC}/detach: "true"`),
    ],
    good: [
      podWith(
        `${OURS}/command: '["true"]'`,
        `${OURS}/wave: "1"`,
        `${OURS}/retry-attempts: "3"`,
        `${OURS}/detach: "true"`,
      ),
    ],
  },
  'pre-restore-hook': {
    bad: [podWith('@@pre.hook.restore.velero.io/command: "true"')],
    good: [podWith('pre.hook.backup.velero.io/command: "true"')],
  },
  'annotation-not-a-string': {
    bad: [
      execPod(`${EXEC}/wait-for-ready: @@true`),
      execPod(`${EXEC}/exec-timeout: @@45`),
      execPod(`${EXEC}/command: @@[a]`),
    ],
    good: [execPod(`${EXEC}/wait-for-ready: "true"`, 'example.com/other: 5')],
  },
  'annotation-misplaced': {
    bad: [
      workload('Deployment', flow('@@'), ''),
      workload('CronJob', flow('@@'), ''),
      podWith().replace('{app: web}', `{app: web, @@${EXEC}/command: x}`),
    ],
    good: [workload('Deployment', '', flow())],
  },
  'annotation-without-command': {
    bad: [podWith(`@@${EXEC}/on-error: Fail`), podWith(`@@${EXEC}/command: ""`)],
    good: [execPod(`${EXEC}/on-error: Fail`), podWith(`${EXEC}/comand: x`)],
  },
  'init-annotation-without-image': {
    bad: [podWith(`@@${INIT}/command: x`)],
    good: [initPod()],
  },
  'command-needs-shell': {
    bad: [
      execPod(`${EXEC}/command: @@psql -f /dump.sql`),
      execPod(`${EXEC}/command: @@"/bin/sh -c 'a && b'"`),
      execPod(`${EXEC}/command: @@'["psql", "-f", "/dump.sql", "|", "tee"]'`),
      execEntry('command: @@[psql -f /dump.sql]'),
      execEntry('command: @@[echo, $HOME]'),
      execEntry('command: @@[echo, a, ">", /b]'),
    ],
    good: [
      execPod(`${EXEC}/command: /opt/load.sh`),
      execPod(`${EXEC}/command: '["/bin/bash", "-c", "a && b > $C"]'`),
      execEntry('command: [sh, -ec, "a | b"]'),
      execEntry('command: [psql, -c, "SELECT $1 > 2; DROP TABLE x"]'),
      execEntry('command: [env, A=b, /bin/sh, -c, "a | b"]'),
    ],
  },
  'init-command-needs-shell': {
    bad: [initPod(`${INIT}/command: @@cp -r /a /b`)],
    good: [initPod(`${INIT}/command: /opt/copy`), initPod(`${INIT}/command: '["cp", "-r", "/a", "/b"]'`)],
  },
  'command-json-invalid': {
    bad: [
      execPod(`${EXEC}/command: @@"['sh', '-c', 'a']"`),
      execPod(`${EXEC}/command: @@'["sh", "-c"'`),
      execPod(`${EXEC}/command: @@' ["sh", "-c", "a"]'`),
      execPod(`${EXEC}/command: @@'["sleep", 5]'`),
    ],
    good: [execPod(`${EXEC}/command: '["sh", "-c", "[ -f a ]"]'`)],
  },
  'init-command-json-invalid': {
    bad: [initPod(`${INIT}/command: @@"['sh']"`)],
    good: [initPod()],
  },
  'command-empty': {
    bad: [execPod(`${EXEC}/command: @@'[]'`), execEntry('command: @@[]'), execEntry('command: @@[""]')],
    good: [execEntry(), execEntry('command: sh')],
  },
  'annotation-duration-invalid': {
    bad: [
      execPod(`${EXEC}/exec-timeout: @@1d`),
      execPod(`${EXEC}/exec-timeout: @@"45"`),
      execPod(`${EXEC}/wait-timeout: @@30 s`),
    ],
    good: [execPod(`${EXEC}/exec-timeout: 1.5h`, `${EXEC}/wait-timeout: 1m30s`)],
  },
  'duration-invalid': {
    bad: [execEntry('execTimeout: @@1d'), execEntry('waitTimeout: @@45'), execEntry('waitTimeout: @@"30 s"')],
    good: [execEntry('execTimeout: 1h30m', 'waitTimeout: "100ms"')],
  },
  'init-timeout-invalid': {
    bad: [initEntry('{name: a, image: "b:1", command: [c]}').replace('init: {', 'init: {timeout: @@5 minutes, ')],
    good: [initEntry('{name: a, image: "b:1", command: [c]}').replace('init: {', 'init: {timeout: 5m, ')],
  },
  'on-error-unknown': {
    bad: [execPod(`${EXEC}/on-error: @@fail`), execEntry('onError: @@Stop'), execEntry('onError: @@"FAIL"')],
    good: [execPod(`${EXEC}/on-error: Continue`), execEntry('onError: Fail')],
  },
  'annotation-value-invalid': {
    bad: [
      ourPod('wave: @@"1.5"'),
      ourPod('retry-attempts: @@"0"'),
      ourPod('retry-delay: @@"0s"', 'retry-attempts: "2"'),
    ],
    good: [ourPod('wave: "-1"', 'retry-attempts: "100"', 'retry-delay: 500ms', 'detach: "1"')],
  },
  'retry-without-effect': {
    bad: [
      ourPod('retry-delay: @@5s'),
      hooksOf('- name: a', '  postHooks: [{exec: {command: ["true"], retry: @@{maxDelay: 5s}}}]'),
      hooksOf('- name: a', '  postHooks: [{exec: {command: ["true"], retry: @@{attempts: 1, delay: 5s}}}]'),
    ],
    good: [
      ourPod('retry-delay: 5s', 'retry-attempts: "2"'),
      hooksOf('- name: a', '  postHooks: [{exec: {command: ["true"], retry: {attempts: 2, delay: 5s}}}]'),
    ],
  },
  'wait-for-ready-invalid': {
    bad: [execPod(`${EXEC}/wait-for-ready: @@"yes"`), execPod(`${EXEC}/wait-for-ready: @@"tRue"`)],
    good: [execPod(`${EXEC}/wait-for-ready: "1"`), execPod(`${EXEC}/wait-for-ready: "False"`)],
  },
  'exec-timeout-not-positive': {
    bad: [
      execPod(`${EXEC}/exec-timeout: @@-1s`),
      execPod(`${EXEC}/exec-timeout: @@0s`),
      execEntry('execTimeout: @@"0"'),
    ],
    good: [execEntry('execTimeout: 1s'), execEntry('execTimeout: 0s')],
  },
  'wait-timeout-not-positive': {
    bad: [execPod(`${EXEC}/wait-timeout: @@0s`), execEntry('waitTimeout: @@-5m')],
    good: [execEntry(), execEntry('waitTimeout: 0s')],
  },
  'no-wait-timeout': {
    bad: [
      podWith(`@@${EXEC}/command: "true"`),
      restoreOf('- name: a', '  postHooks:', '    - @@exec: {command: ["true"]}'),
    ],
    good: [execEntry(), restoreOf('- name: a', '  postHooks:', '    - exec: {command: [a], onError: Fail}')],
  },
  'fail-without-wait-timeout': {
    bad: [
      podWith(`@@${EXEC}/command: "true"`, `${EXEC}/on-error: Fail`),
      restoreOf('- name: a', '  postHooks:', '    - @@exec: {command: [a], onError: Fail, waitForReady: true}'),
    ],
    good: [execEntry('onError: Fail'), restoreOf('- name: a', '  postHooks:', '    - exec: {command: [a]}')],
  },
  'container-missing': {
    bad: [
      execPod(`${EXEC}/container: @@mian`),
      and(PLAIN, execEntry('container: @@db')),
      and(workload('StatefulSet', '', ''), execEntry('container: @@db')),
      and(workload('CronJob', '', ''), execEntry('container: @@db')),
    ],
    good: [
      execPod(`${EXEC}/container: side`),
      execPod(`${EXEC}/container: log`),
      execPod(`${EXEC}/container: istio-proxy`),
      execEntry('container: db'),
    ],
  },
  'container-is-init': {
    bad: [execPod(`${EXEC}/container: @@setup`)],
    good: [execPod(`${EXEC}/container: log`)],
  },
  'wait-for-ready-without-probe': {
    bad: [
      execPod(`${EXEC}/container: side`, `${EXEC}/wait-for-ready: @@"true"`),
      and(PLAIN, execEntry('container: side', 'waitForReady: @@true')),
    ],
    good: [execPod(`${EXEC}/wait-for-ready: "true"`), execEntry('waitForReady: true')],
  },
  'exec-hook-in-job': {
    bad: [workload('Job', '', flow('@@')), workload('CronJob', '', flow('@@'))],
    good: [workload('Deployment', '', flow()), and(workload('Job', '', ''), PLAIN, execEntry())],
  },
  'hook-on-unrestored-pod': {
    bad: [`${execPod().replace(`${EXEC}/command`, `@@${EXEC}/command`)}status: {phase: Succeeded}\n`],
    good: [execPod(), `${PLAIN}status: {phase: Failed}\n`],
  },
  'wait-timeout-too-short': {
    bad: [
      and(
        PLAIN,
        restoreOf(
          '- name: a',
          '  postHooks:',
          '    - exec: {command: [a], execTimeout: 10m, waitTimeout: 1m}',
          '    - exec: {command: [b], waitTimeout: @@5m}',
        ),
      ),
    ],
    good: [
      and(
        PLAIN,
        restoreOf(
          '- name: a',
          '  postHooks:',
          '    - exec: {command: [a], execTimeout: 10m, waitTimeout: 1m}',
          '    - exec: {command: [b], container: side, waitTimeout: 5m}',
          '    - exec: {command: [b], waitTimeout: 11m}',
        ),
      ),
      and(
        PLAIN,
        `apiVersion: restorehooks.io/v1
kind: RestoreHooks
spec:
  resources:
    - postHooks: [{exec: {command: [a], execTimeout: 10m, waitTimeout: 1m, onError: Fail}}]
    - {wave: 1, postHooks: [{exec: {command: [b], waitTimeout: 5m}}]}
`,
      ),
    ],
  },
  'annotation-hides-hooks': {
    bad: [and(podWith(`${EXEC}/wait-timeout: 5m`, `@@${EXEC}/command: "true"`), execEntry())],
    good: [and(initPod(), execEntry()), and(execPod(), entry('  includedNamespaces: [other]'))],
  },
  'annotation-hides-annotation': {
    bad: [execPod('@@post.hook.restorehooks.io/command: "true"', 'post.hook.restorehooks.io/wait-timeout: 1m')],
    good: [initPod('post.hook.restorehooks.io/command: "true"')],
  },
  'velero-container-order': {
    bad: [
      and(
        PLAIN,
        restoreOf(
          '- name: a',
          '  postHooks:',
          '    - exec: {command: [a]}',
          '    - @@exec: {command: [b], container: side}',
        ),
      ),
    ],
    good: [
      and(PLAIN, restoreOf('- name: a', '  postHooks:', '    - exec: {command: [a]}', '    - exec: {command: [b]}')),
    ],
  },
  'velero-continue-cancels': {
    bad: [
      execPod(`${EXEC}/on-error: @@Continue`),
      restoreOf('- name: a', '  postHooks:', '    - @@exec: {command: [a]}'),
    ],
    good: [execPod(`${EXEC}/on-error: Fail`), podWith('post.hook.restorehooks.io/command: "true"')],
  },
  'init-annotation-without-command': {
    bad: [
      podWith(`@@${INIT}/container-image: busybox:1`),
      podWith(`${INIT}/container-image: busybox:1`, `${INIT}/command: @@""`),
    ],
    good: [initPod(), podWith('init.hook.restorehooks.io/container-image: busybox:1')],
  },
  'init-container-incomplete': {
    bad: [
      initEntry('@@{name: a, image: "b:1"}'),
      initEntry('@@{image: "b:1", command: [c]}'),
      initEntry('@@{name: a, command: [c]}'),
    ],
    good: [initEntry('{name: a, image: "b:1", command: [c]}')],
  },
  'init-image-latest': {
    bad: [
      initPod(`${INIT}/container-image: @@registry.example.com:5000/tools`),
      initEntry('{name: a, image: @@"b:latest", command: [c]}'),
    ],
    good: [
      initPod(`${INIT}/container-image: example.com:5000/tools:1`),
      initEntry('{name: a, image: "b@sha256:0123", command: [c]}'),
      initEntry('{name: a, image: "b:{{ .tag }}", command: [c]}'),
    ],
  },
  'init-container-name-invalid': {
    bad: [
      initPod(`${INIT}/container-name: @@My_Init`),
      initEntry(`{name: @@${'a'.repeat(64)}, image: "b:1", command: [c]}`),
    ],
    good: [initPod(`${INIT}/container-name: my-init`)],
  },
  'init-container-name-taken': {
    bad: [
      initPod(`${INIT}/container-name: @@main`),
      and(PLAIN, initEntry('{name: @@setup, image: "b:1", command: [c]}')),
      initEntry('{name: a, image: "b:1", command: [c]}, {name: @@a, image: "b:1", command: [c]}'),
    ],
    good: [initPod(`${INIT}/container-name: other`)],
  },
  'entry-matches-nothing': {
    bad: [
      and(
        PLAIN,
        restoreOf('- @@name: a', '  labelSelector: {matchLabels: {app: wbe}}', '  postHooks: [{exec: {command: [a]}}]'),
      ),
      and(PLAIN, restoreOf('- @@name: a', '  includedNamespaces: [shop-*]', '  postHooks: [{exec: {command: [a]}}]')),
    ],
    good: [
      entry('  labelSelector: {matchLabels: {app: wbe}}'),
      and(PLAIN, entry('  labelSelector: {matchLabels: {app: web}}')),
      and(workload('Deployment', '', ''), entry('  labelSelector: {matchLabels: {pod-template-hash: abc}}')),
      and(PLAIN.replace('  namespace: shop\n', ''), entry('  includedNamespaces: [shop-*]')),
      and(
        PLAIN,
        entry('  includedNamespaces: [shop-*]').replace('  hooks:', '  namespaceMapping: {shop: shop-2}\n  hooks:'),
      ),
    ],
  },
  'entry-outside-restore': {
    bad: [
      entry('  includedNamespaces: @@[shop]').replace(
        '  hooks:',
        '  includedNamespaces: [shop]\n  namespaceMapping: {shop: shop-2}\n  hooks:',
      ),
    ],
    good: [
      entry('  includedNamespaces: [shop-2]').replace(
        '  hooks:',
        '  includedNamespaces: [shop]\n  namespaceMapping: {shop: shop-2}\n  hooks:',
      ),
      entry('  includedNamespaces: [other]').replace('  hooks:', '  includedNamespaces: ["*"]\n  hooks:'),
    ],
  },
  'entry-without-hooks': {
    bad: [restoreOf('- @@name: a'), restoreOf('- name: a', '  postHooks: [@@{}]')],
    good: [entry()],
  },
  'namespace-pattern-invalid': {
    bad: [entry('  includedNamespaces: [a, @@"shop-[a"]'), entry('  excludedNamespaces: [@@"[a-z0-9]"]')],
    good: [entry('  includedNamespaces: ["shop-[ab]", "{a,b}*"]')],
  },
  'included-and-excluded': {
    bad: [entry('  includedNamespaces: [a, b]', '  excludedNamespaces: [@@b]'), entry('  excludedNamespaces: [@@"*"]')],
    good: [entry('  includedNamespaces: ["*"]', '  excludedNamespaces: [b]'), entry('  excludedResources: ["*"]')],
  },
  'entry-excludes-pods': {
    bad: [entry('  includedResources: @@[deployments]'), entry('  excludedResources: @@[pods]')],
    good: [entry('  includedResources: [po, deployments]'), entry('  includedResources: ["*"]')],
  },
  'label-selector-invalid': {
    bad: [
      entry('  labelSelector: {matchLabels: {app: @@"a b"}}'),
      entry('  labelSelector: {matchExpressions: [{key: app, operator: @@Equals, values: [a]}]}'),
    ],
    good: [entry('  labelSelector: {matchExpressions: [{key: app, operator: Exists}]}')],
  },
  'entry-field-without-effect': {
    bad: [hooksOf('- name: a', '  wave: @@1', `  postHooks: [{init: {initContainers: [${INIT_CONTAINER}]}}]`)],
    good: [
      hooksOf('- name: a', '  wave: 0', '  runOn: all', `  postHooks: [{init: {initContainers: [${INIT_CONTAINER}]}}]`),
      hooksOf('- name: a', '  wave: 1', '  runOn: one', '  postHooks: [{exec: {command: ["true"]}}]'),
    ],
  },
  // R3.40
  'wave-without-gate': {
    bad: [
      hooksOf(
        '- {name: a, wave: -1, postHooks: [{exec: {command: ["true"], onError: @@Continue}}]}',
        '- {name: b, postHooks: [{exec: {command: ["true"]}}]}',
      ),
    ],
    good: [
      hooksOf(
        '- {name: a, wave: -1, postHooks: [{exec: {command: ["true"], onError: Fail}}]}',
        '- {name: b, postHooks: [{exec: {command: ["true"]}}]}',
      ),
    ],
  },
  'entry-without-name': {
    bad: [restoreOf('- @@postHooks: [{exec: {command: [a]}}]')],
    good: [entry()],
  },
  'entry-name-duplicate': {
    bad: [
      restoreOf(
        '- name: a',
        '  postHooks: [{exec: {command: [a]}}]',
        '- name: @@a',
        '  postHooks: [{exec: {command: [b]}}]',
      ),
    ],
    good: [
      restoreOf(
        '- name: a',
        '  postHooks: [{exec: {command: [a]}}]',
        '- name: b',
        '  postHooks: [{exec: {command: [b]}}]',
      ),
    ],
  },
  'field-unknown': {
    bad: [
      execEntry('@@onerror: Fail'),
      execEntry('@@exectimeout: 1m'),
      execEntry('@@commands: [a]'),
      execEntry('@@retries: 3'),
      entry('  labelSelector: {@@matchLabel: {app: web}}'),
      entry('  labelSelector: {@@app: web}'),
      entry('  @@preHooks: []'),
      entry().replace('  hooks:', '  @@hook:'),
      entry().replace('    resources:', '    @@resource:'),
    ],
    good: [
      execEntry('container: main', 'onError: Fail', 'execTimeout: 1m', 'waitForReady: true'),
      initEntry('{name: a, image: "b:1", command: [c], volumeMounts: []}'),
      entry().replace('  hooks:', '  existingResourcePolicy: update\n  restorePVs: true\n  hooks:'),
    ],
  },
  'field-invalid': {
    bad: [execEntry('waitForReady: @@"true"'), entry('  includedNamespaces: @@shop'), execEntry('command: @@sh')],
    good: [execEntry('waitForReady: true')],
  },
};
