import { closest } from '../../closest.ts';
import { canonicalJson } from '../../digest.ts';
import { jsonArrayProblem } from '../../mistakes/json-array.ts';
import { compileIncludesExcludes } from '../../model/includes-excludes.ts';
import { compileLabelSelector, LabelSelector } from '../../model/label-selector.ts';
import { fieldsOf, itemsOf, textOf } from '../collect/find-pods.ts';
import { asString, atPointer, decodeValue, notAString } from '../collect/modifier-value.ts';
import type { Place } from '../collect/place.ts';
import { below, keyOf, quote } from '../collect/place.ts';
import type { Fields, ModifierRule, Modifiers } from '../collect/subjects.ts';
import type { Report, Rule } from './rule.ts';

const OPERATIONS = ['add', 'remove', 'replace', 'move', 'copy', 'test'];
const KINDS = ['patches', 'mergePatches', 'strategicPatches'];
const CORE =
  'pods services configmaps secrets persistentvolumeclaims persistentvolumes serviceaccounts namespaces endpoints replicationcontrollers resourcequotas limitranges events nodes podtemplates'.split(
    ' ',
  );
const GROUPED: Readonly<Record<string, string>> = {
  deployments: 'apps',
  statefulsets: 'apps',
  daemonsets: 'apps',
  replicasets: 'apps',
  controllerrevisions: 'apps',
  jobs: 'batch',
  cronjobs: 'batch',
  ingresses: 'networking.k8s.io',
  networkpolicies: 'networking.k8s.io',
  storageclasses: 'storage.k8s.io',
  poddisruptionbudgets: 'policy',
  horizontalpodautoscalers: 'autoscaling',
  roles: 'rbac.authorization.k8s.io',
  rolebindings: 'rbac.authorization.k8s.io',
  clusterroles: 'rbac.authorization.k8s.io',
  clusterrolebindings: 'rbac.authorization.k8s.io',
};
const SHORT: Readonly<Record<string, string>> = {
  po: 'pods',
  svc: 'services',
  cm: 'configmaps',
  pvc: 'persistentvolumeclaims',
  pv: 'persistentvolumes',
  sa: 'serviceaccounts',
  ns: 'namespaces',
  deploy: 'deployments',
  sts: 'statefulsets',
  ds: 'daemonsets',
  rs: 'replicasets',
  cj: 'cronjobs',
  ing: 'ingresses',
  sc: 'storageclasses',
  hpa: 'horizontalpodautoscalers',
  pdb: 'poddisruptionbudgets',
  netpol: 'networkpolicies',
};

/** Velero's name for the resource that was meant; undefined if the given name may be right. */
function meantResource(written: string): string | undefined {
  const name = written.toLowerCase().split('.')[0] ?? '';
  const plural =
    [name, `${name}s`, `${name}es`, name.replace(/y$/, 'ies')].find(
      (each) => CORE.includes(each) || Object.hasOwn(GROUPED, each),
    ) ?? SHORT[name];
  if (plural === undefined) return undefined;
  const group = GROUPED[plural];
  // Another API group may have resources of the same name.
  if (group !== undefined && written.includes('.') && plural === name && written === written.toLowerCase()) {
    return undefined;
  }
  const meant = group === undefined ? plural : `${plural}.${group}`;
  return meant === written ? undefined : meant;
}

export const modifierRules: readonly Rule[] = [
  {
    id: 'modifier-invalid',
    severity: 'error',
    on: 'modifiers',
    reason: 'Resource modifiers that Velero can not read make it refuse every Restore that names them.',
    fix: 'Write version: v1, rules with conditions.groupResource, and in each rule one of patches, mergePatches, strategicPatches.',
    check(modifiers, report) {
      const { unreadable, root, title, configMap, value } = modifiers;
      if (unreadable !== undefined) return report(root, `${title} can't be read: ${unreadable}`);
      if (configMap !== undefined && configMap.keys !== 1) {
        report(
          root,
          `ConfigMap ${configMap.name} has ${configMap.keys} keys under data: Velero takes one, and no other`,
        );
      }
      const fields = fieldsOf(value);
      if (textOf(fields['version']).toLowerCase() !== 'v1') {
        report(below(root, 'version'), `${title}: version is ${quote(fields['version'])}, not "v1"`);
      }
      unknownFields(root, fields, ['version', 'resourceModifierRules'], report);
      if (modifiers.rules.length === 0) report(below(root, 'resourceModifierRules'), `${title} have no rules`);
      for (const rule of modifiers.rules) checkRule(rule, report);
    },
  },
  {
    id: 'modifier-resource-unknown',
    severity: 'error',
    on: 'modifiers',
    reason:
      'A groupResource is the plural in lower case and the group, as in deployments.apps: any other name matches nothing.',
    fix: 'Write it as kubectl api-resources -o name prints it.',
    check({ rules }, report) {
      for (const { place, conditions } of rules) {
        const written = textOf(conditions['groupResource']);
        if (written === '' || /[*?[{]/.test(written)) continue;
        const meant = meantResource(written);
        const at = below(place, 'conditions', 'groupResource');
        if (meant !== undefined)
          report(at, `groupResource ${quote(written)} matches nothing; did you mean ${quote(meant)}?`);
      }
    },
  },
  {
    id: 'modifier-resource-wildcard',
    severity: 'warning',
    on: 'modifiers',
    reason:
      'In a groupResource * ends at a dot: alone it matches the core group and no other, and *.* every other group.',
    fix: 'Name the resource, as in deployments.apps; ** matches all.',
    check({ rules }, report) {
      for (const { place, conditions } of rules) {
        const written = textOf(conditions['groupResource']);
        const misses = { '*': 'what has a group, as deployments.apps', '*.*': 'the core group, as pods' }[written];
        const at = below(place, 'conditions', 'groupResource');
        if (misses !== undefined) report(at, `groupResource ${quote(written)} doesn't match ${misses}`);
      }
    },
  },
  {
    id: 'modifier-value-not-a-string',
    severity: 'error',
    on: 'modifiers',
    reason:
      'A value that looks like JSON, a number or a boolean is none of a string: where a string must stand, the object is refused, and a test never holds.',
    fix: 'Put it in double quotes of its own: \'"5"\', \'"true"\', \'"[\\"sh\\"]"\'.',
    check({ rules }, report) {
      for (const { at, path, written } of allValues(rules)) {
        const decoded = decodeValue(written);
        if ('problem' in decoded) continue;
        const what = notAString(path, decoded.value);
        if (what === undefined) continue;
        const better =
          typeof decoded.value === 'object' && notAString(path, {}) === undefined && !Array.isArray(decoded.value)
            ? ''
            : `; write ${asString(String(written))}`;
        report(at, `the value for ${path} becomes ${what}, and no string${better}`);
      }
    },
  },
  {
    id: 'modifier-value-invalid',
    severity: 'error',
    on: 'modifiers',
    reason:
      'Velero writes the value into a JSON patch as it stands: what is no JSON there makes all patches of the rule fail: the object is restored as it was, and the Restore ends PartiallyFailed.',
    fix: 'Escape " and \\ with a \\; put what begins with [ or { and is no JSON in double quotes of its own.',
    check({ rules }, report) {
      for (const { at, path, written } of allValues(rules)) {
        const decoded = decodeValue(written);
        if ('problem' in decoded) report(at, `the value for ${path} ${decoded.problem}`);
        else if (/\/metadata\/annotations\/(?:post|init)\.hook\.[a-z.]+~1command$/.test(path)) {
          const problem =
            typeof decoded.value === 'string' && decoded.value.startsWith('[') && jsonArrayProblem(decoded.value);
          if (problem)
            report(at, `the value for ${path} is no JSON array of strings: at character ${problem.at} ${problem.what}`);
        }
      }
    },
  },
  {
    id: 'modifier-path-invalid',
    severity: 'error',
    on: 'modifiers',
    reason:
      'A path is a JSON pointer: it begins with /, and a / within a key is written ~1. Any other makes all patches of the rule fail.',
    fix: 'Write it as /metadata/annotations/post.hook.restore.velero.io~1command.',
    check({ rules }, report) {
      for (const { place, fields } of rules.flatMap(({ patches }) => patches)) {
        for (const key of ['path', 'from']) checkPath(textOf(fields[key]), below(place, key), report);
      }
    },
  },
  {
    id: 'modifier-test',
    severity: 'info',
    on: 'modifiers',
    reason: 'A test that does not hold turns all patches of its rule off, without a word in the Restore.',
    fix: 'Be sure that it holds for each object that is meant.',
    check(modifiers, report) {
      for (const rule of modifiers.rules) {
        for (const { place, fields } of testsOf(rule)) {
          if (failsForAll(modifiers, rule) === undefined)
            report(place, `where ${textOf(fields['path'])} isn't ${quote(fields['value'])}, this rule does nothing`);
        }
      }
    },
  },
  {
    id: 'modifier-test-fails',
    severity: 'warning',
    on: 'modifiers',
    reason: 'A test that does not hold turns all patches of its rule off, without a word in the Restore.',
    fix: 'Compare the path and the value with the objects, or take the test away.',
    check(modifiers, report) {
      for (const rule of modifiers.rules) {
        const failed = failsForAll(modifiers, rule);
        if (failed !== undefined)
          report(
            failed.place,
            `${textOf(failed.fields['path'])} is ${quote(failed.fields['value'])} in none of the ${failed.count} objects given: this rule does nothing`,
          );
      }
    },
  },
];

type Patch = ModifierRule['patches'][number];
const testsOf = ({ patches }: ModifierRule): Patch[] =>
  patches.filter(({ fields }) => textOf(fields['operation']).toLowerCase() === 'test');

function checkRule({ place, fields, conditions, patches }: ModifierRule, report: Report): void {
  unknownFields(place, fields, ['conditions', ...KINDS], report);
  unknownFields(
    below(place, 'conditions'),
    conditions,
    ['namespaces', 'groupResource', 'resourceNameRegex', 'labelSelector', 'matches'],
    report,
  );
  if (textOf(conditions['groupResource']) === '')
    report(below(place, 'conditions'), 'this rule has no conditions.groupResource');
  const kinds = KINDS.filter((kind) => itemsOf(fields[kind]).length > 0);
  if (kinds.length === 0) report(place, `this rule has none of ${KINDS.join(', ')}`);
  const [, second] = kinds;
  if (second !== undefined)
    report(keyOf(below(place, second)), `this rule has ${kinds.join(' and ')}: Velero takes one of them`);
  for (const { place: at, fields: patch } of patches) {
    unknownFields(at, patch, ['operation', 'from', 'path', 'value'], report);
    const operation = textOf(patch['operation']);
    if (!OPERATIONS.includes(operation.toLowerCase())) {
      report(below(at, 'operation'), `operation ${quote(patch['operation'])} is none of ${OPERATIONS.join(', ')}`);
    } else if (operation !== operation.toLowerCase()) {
      report(
        below(at, 'operation'),
        `operation ${quote(operation)} passes Velero's check, and fails in the patch: write it in lower case`,
      );
    }
    if (textOf(patch['path']) === '') report(at, 'this patch has no path');
  }
  for (const kind of ['mergePatches', 'strategicPatches']) {
    for (const [index, patch] of itemsOf(fields[kind]).entries()) {
      unknownFields(below(place, kind, index), fieldsOf(patch), ['patchData'], report);
    }
  }
}

function unknownFields(place: Place, fields: Fields, known: readonly string[], report: Report): void {
  for (const key of Object.keys(fields)) {
    if (known.includes(key)) continue;
    const near = key === 'op' ? 'operation' : closest(key, known);
    const hint = near === undefined ? '' : `; did you mean ${quote(near)}?`;
    report(keyOf(below(place, key)), `there is no field ${quote(key)} here${hint}`);
  }
}

interface Value {
  readonly at: Place;
  readonly path: string;
  readonly written: unknown;
}

/** The values that patches set or test, and those that conditions match. */
function allValues(rules: readonly ModifierRule[]): Value[] {
  return rules.flatMap(({ place, patches, conditions }) => [
    ...patches
      .filter(
        ({ fields }) => /^(?:add|replace|test)$/i.test(textOf(fields['operation'])) && fields['value'] !== undefined,
      )
      .map(({ place: at, fields }) => ({
        at: below(at, 'value'),
        path: textOf(fields['path']),
        written: fields['value'],
      })),
    ...itemsOf(conditions['matches']).map((match, index) => ({
      at: below(place, 'conditions', 'matches', index, 'value'),
      path: textOf(fieldsOf(match)['path']),
      written: fieldsOf(match)['value'],
    })),
  ]);
}

function checkPath(path: string, place: Place, report: Report): void {
  if (path === '') return;
  if (!path.startsWith('/')) report(place, `${quote(path)} doesn't begin with /`);
  const [, map, rest] = /^(.*\/metadata\/(?:annotations|labels))\/([^/]+\/.+)$/.exec(path) ?? [];
  if (map !== undefined && rest !== undefined) {
    report(place, `${quote(path)}: the / in a key is written ~1: ${map}/${rest.replaceAll('/', '~1')}`);
  }
}

/** The first test that fails for every given object that the rule applies to. */
function failsForAll({ given }: Modifiers, rule: ModifierRule): (Patch & { readonly count: number }) | undefined {
  const tests = testsOf(rule);
  if (tests.length === 0) return undefined;
  const meant = given.filter(({ object, resource }) => admits(rule.conditions, object, resource));
  const [failed] = tests.filter((test) => meant.length > 0 && meant.every(({ object }) => !holds(test, object)));
  return failed && { ...failed, count: meant.length };
}

function holds({ fields }: Patch, object: unknown): boolean {
  const found = atPointer(object, textOf(fields['path']));
  const decoded = decodeValue(fields['value']);
  if ('problem' in decoded) return true;
  const expected = canonicalJson(decoded.value);
  // For a test, a missing member is null.
  return canonicalJson(found?.value ?? null) === expected;
}

function admits(
  { groupResource, namespaces, resourceNameRegex, labelSelector }: Fields,
  object: unknown,
  resource: string,
): boolean {
  if (groupResource !== resource && !(groupResource === '*' && !resource.includes('.')) && groupResource !== '**')
    return false;
  const metadata = fieldsOf(fieldsOf(object)['metadata']);
  const wanted = itemsOf(namespaces).map(String);
  const namespace = textOf(metadata['namespace']);
  if (namespace !== '' && !compileIncludesExcludes(wanted, []).admits(namespace)) return false;
  try {
    if (!new RegExp(textOf(resourceNameRegex)).test(textOf(metadata['name']))) return false;
  } catch {
    return false;
  }
  const selector = LabelSelector().safeParse(labelSelector ?? {});
  const labels = fieldsOf(metadata['labels']) as Record<string, string>;
  return selector.success && compileLabelSelector(selector.data)(labels);
}
