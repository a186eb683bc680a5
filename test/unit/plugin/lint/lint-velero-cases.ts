import type { LintCase } from './lint-cases.ts';
import {
  and,
  EXEC,
  entry,
  execEntry,
  execPod,
  hookCases,
  initEntry,
  PLAIN,
  restoreOf,
  workload,
} from './lint-cases.ts';

/** The entry above in a Restore with more fields. */
const restoreWith = (...spec: string[]): string =>
  entry().replace('  hooks:', [...spec, 'hooks:'].map((line) => `  ${line}`).join('\n'));

const rules = (...lines: string[]): string =>
  ['version: v1', 'resourceModifierRules:', ...lines.map((line) => `  ${line}`)].map((line) => `${line}\n`).join('');
const patch = (text: string): string => rules('- conditions: {groupResource: pods}', `  patches: [{${text}}]`);
const inConfigMap = (text: string): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: mods, namespace: velero}
data:
  mods.yaml: |
${text.replace(/^(?=.)/gm, '    ')}`;

/** Cases of the rules for scripts, Restores and resource modifiers. */
const veleroCases: Readonly<Record<string, LintCase>> = {
  'shell-arguments': {
    bad: [
      execPod(`${EXEC}/command: @@'["sh","-c","cat","-u","x"]'`),
      execEntry('command: @@[/bin/sh, "psql < /dump"]'),
      execEntry('command: @@[bash]'),
    ],
    good: [execEntry('command: [sh, -c, "echo $1", --, x]'), execEntry('command: [bash, /a.sh, -c, x]')],
  },
  'init-shell-arguments': {
    bad: [initEntry('{name: a, image: "b:1", command: @@[sh, -c, chown, "999"]}')],
    good: [initEntry('{name: a, image: "b:1", command: [sh], args: [-c, "chown 999 /data"]}')],
  },
  'argument-with-space': {
    bad: [execEntry('command: @@[bash, /hook.sh, "-o restore"]'), execEntry('command: @@[a, "--file x"]')],
    good: [execEntry('command: [psql, -c, "-- note", "--set=a=b c"]'), execEntry('command: [sh, -c, "-x y"]')],
  },
  'background-holds-output': {
    bad: [execPod(`${EXEC}/command: @@'["sh","-c","sleep 600 &"]'`), execEntry('command: @@[sh, -c, "a >/x & b"]')],
    good: [execEntry('command: [sh, -c, "a >/x 2>&1 & b"]'), execEntry('command: [sh, -c, "a & wait"]')],
  },
  'sleep-fills-timeout': {
    bad: [
      execPod(`${EXEC}/command: @@'["sh","-c","sleep 30 && a"]'`),
      execEntry('command: @@[sh, -c, "sleep 60 && a"]', 'execTimeout: 1m'),
    ],
    good: [
      execEntry('command: [sh, -c, "sleep 29 && a"]'),
      execEntry('command: [sh, -c, "sleep 60"]', 'execTimeout: -1s'),
    ],
  },
  'placeholder-left': {
    bad: [
      restoreWith().replace('name: nightly,', 'name: @@<restore>,'),
      entry('  includedNamespaces: [@@$NS]'),
      execPod(`${EXEC}/command: @@'["psql", "-d", "<db-name>"]'`),
      execPod(`${EXEC}/container: @@"{{ .Values.container }}"`),
    ],
    good: [execEntry('command: [sh, -c, "a < b > c $X"]'), PLAIN.replace('name: web-0', 'name: $NAME')],
  },
  'container-not-named': {
    bad: [execPod().replace('name: main,', 'name: istio-proxy,').replace(`${EXEC}/command`, `@@${EXEC}/command`)],
    good: [execPod(), execPod(`${EXEC}/container: side`).replace('name: main,', 'name: istio-proxy,')],
  },
  'pod-with-ephemeral-containers': {
    bad: [
      `${PLAIN}  @@ephemeralContainers: [{name: debugger, image: busybox}]\n`.replace(
        '@@ephemeralContainers: [',
        'ephemeralContainers: @@[',
      ),
    ],
    good: [`${PLAIN}  ephemeralContainers: []\n`],
  },
  'restart-policy-rules-lost': {
    bad: [PLAIN.replace('  containers:\n    - {', '  containers:\n    @@- {restartPolicyRules: [{action: Restart}], ')],
    good: [PLAIN],
  },
  'init-volume-missing': {
    bad: [
      and(PLAIN, initEntry('{name: a, image: "b:1", command: [c], volumeMounts: [{name: @@data, mountPath: /d}]}')),
    ],
    good: [
      and(
        `${PLAIN}  volumes: [{name: data}]\n`,
        initEntry('{name: a, image: "b:1", command: [c], volumeMounts: [{name: data, mountPath: /d}]}'),
      ),
      initEntry('{name: a, image: "b:1", command: [c], volumeMounts: [{name: data, mountPath: /d}]}'),
    ],
  },
  'init-restart-policy-rules-lost': {
    bad: [initEntry('{name: a, image: "b:1", command: [c], restartPolicyRules: @@[{action: Restart}]}')],
    good: [initEntry('{name: a, image: "b:1", command: [c], restartPolicyRules: []}')],
  },
  'restore-without-pods': {
    bad: [restoreWith('includedResources: @@[deployments]'), restoreWith('excludedResources: @@[pods]')],
    good: [
      restoreWith('includedResources: [pods]'),
      restoreOf().replace('  hooks:', '  includedResources: [a]\n  hooks:'),
    ],
  },
  'restore-updates-pods': {
    bad: [restoreWith('existingResourcePolicy: @@update')],
    good: [restoreWith('existingResourcePolicy: none')],
  },
  'restore-modifies-pods': {
    bad: [
      restoreWith('resourceModifier: @@{kind: ConfigMap, name: mods}'),
      and(
        restoreWith('resourceModifier: @@{kind: ConfigMap, name: mods}'),
        inConfigMap(patch('operation: remove, path: /metadata/labels/app')),
      ),
    ],
    good: [
      and(
        restoreWith('resourceModifier: {kind: ConfigMap, name: mods}'),
        inConfigMap(patch('operation: remove, path: /spec/nodeName')),
      ),
    ],
  },
  'restore-namespace-pattern-invalid': {
    bad: [restoreWith('includedNamespaces: [a, @@"[a-z0-9]*"]')],
    good: [restoreWith('includedNamespaces: [a, "[a-z]*"]')],
  },
  'velero-duration-invalid': {
    bad: [
      restoreWith('itemOperationTimeout: @@1d'),
      'apiVersion: velero.io/v1\nkind: Backup\nspec: {ttl: @@30d}\n',
      execEntry('waitTimeout: @@""'),
    ],
    good: [
      restoreWith('itemOperationTimeout: 4h'),
      'apiVersion: other.io/v1\nkind: Backup\nspec: {ttl: 30d}\n',
      execEntry('execTimeout: 1d'),
    ],
  },
  'velero-duration-null': {
    bad: [execEntry('execTimeout: @@null')],
    good: [execEntry()],
  },
  'modifier-invalid': {
    bad: [
      rules('- conditions: {groupResource: pods}')
        .replace('v1', '@@v2')
        .replace('}', '}\n    patches: [{operation: remove, path: /a}]'),
      rules('- @@conditions: {groupResource: pods}'),
      patch('operation: @@delete, path: /a'),
      inConfigMap(patch('operation: @@delete, path: /a')),
    ],
    good: [patch('operation: remove, path: /a')],
  },
  'modifier-resource-unknown': {
    bad: [
      patch('operation: remove, path: /a').replace(': pods', ': @@deployments'),
      patch('operation: remove, path: /a').replace(': pods', ': @@Pod'),
    ],
    good: [patch('operation: remove, path: /a').replace(': pods', ': widgets.example.com')],
  },
  'modifier-resource-wildcard': {
    bad: [patch('operation: remove, path: /a').replace(': pods', ': @@"*"')],
    good: [patch('operation: remove, path: /a').replace(': pods', ': "*.apps"')],
  },
  'modifier-value-not-a-string': {
    bad: [
      patch(`operation: add, path: /metadata/labels/a, value: @@"5"`),
      inConfigMap(patch(`operation: add, path: /metadata/annotations/a, value: @@'["a"]'`)),
    ],
    good: [
      patch(`operation: add, path: /metadata/labels/a, value: '"5"'`),
      patch('operation: add, path: /spec/replicas, value: "5"'),
    ],
  },
  'modifier-value-invalid': {
    bad: [
      patch(`operation: add, path: /metadata/labels/a, value: @@'a "b"'`),
      patch(`operation: add, path: /a, value: @@'[ -f x ]'`),
    ],
    good: [patch(`operation: add, path: /a, value: 'a \\"b\\"'`)],
  },
  'modifier-path-invalid': {
    bad: [patch('operation: remove, path: @@/metadata/labels/a.io/b'), patch('operation: remove, path: @@metadata')],
    good: [patch('operation: remove, path: /metadata/labels/a.io~1b')],
  },
  'modifier-test': {
    bad: [rules('- conditions: {groupResource: pods}', '  patches: [@@{operation: test, path: /a, value: b}]')],
    good: [patch('operation: remove, path: /a')],
  },
  'modifier-test-fails': {
    bad: [
      and(
        PLAIN,
        rules(
          '- conditions: {groupResource: pods}',
          '  patches: [@@{operation: test, path: /metadata/labels/app, value: wbe}]',
        ),
      ),
    ],
    good: [
      and(PLAIN, patch('operation: test, path: /metadata/labels/app, value: web')),
      and(workload('Deployment', '', ''), patch('operation: test, path: /metadata/labels/app, value: wbe')),
    ],
  },
};

export const lintCases: Readonly<Record<string, LintCase>> = { ...hookCases, ...veleroCases };
