import { meantDuration } from '../../mistakes/shell.ts';
import { parseDurationMs } from '../../model/duration.ts';
import { compileGlob } from '../../model/glob.ts';
import { admitsPods } from '../../model/includes-excludes.ts';
import { fieldsOf, textOf } from '../collect/find-pods.ts';
import { below, quote } from '../collect/place.ts';
import { placeholderInName } from '../collect/placeholder.ts';
import type { Fields, Modifiers } from '../collect/subjects.ts';
import type { Rule } from './rule.ts';

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

export const restoreRules: readonly Rule[] = [
  {
    id: 'restore-without-pods',
    severity: 'error',
    on: 'restore',
    reason: 'Hooks are run in the pods that a Restore restores: where it leaves pods out, none is ever run.',
    fix: 'Add pods to includedResources, or take them out of excludedResources.',
    check({ title, root, spec, hasHooks }, report) {
      const [included, excluded] = [strings(spec['includedResources']), strings(spec['excludedResources'])];
      if (!hasHooks || admitsPods(included, excluded)) return;
      const key = admitsPods(included, []) ? 'excludedResources' : 'includedResources';
      report(below(root, 'spec', key), `${title} restores no pods (${key}), and so runs none of the hooks`);
    },
  },
  {
    id: 'restore-updates-pods',
    severity: 'warning',
    on: 'restore',
    reason:
      'With existingResourcePolicy: update Velero relabels pods that it finds, and runs hooks only in those that it creates.',
    fix: 'Restore into a namespace without these pods, or know that their hooks are not run.',
    check({ root, spec, hasHooks, live, title }, report) {
      if (live || !hasHooks || textOf(spec['existingResourcePolicy']) !== 'update') return;
      report(
        below(root, 'spec', 'existingResourcePolicy'),
        `${title}: hooks are not run in pods that are there already`,
      );
    },
  },
  {
    id: 'restore-modifies-pods',
    severity: 'warning',
    on: 'restore',
    reason:
      'Velero applies resource modifiers after it has injected init containers and before it chooses exec hooks: they can take a hook away, or change it.',
    fix: "Give lint the modifiers' ConfigMap as well, and compare what they do to pods with the hooks.",
    check(restore, report) {
      const { spec, root, live, title, namespace, modifiers, hasHooks } = restore;
      const name = textOf(fieldsOf(spec['resourceModifier'])['name']);
      if (live || !hasHooks || name === '') return;
      const place = below(root, 'spec', 'resourceModifier');
      const kind = textOf(fieldsOf(spec['resourceModifier'])['kind']);
      if (kind.toLowerCase() !== 'configmap') {
        return report(
          below(place, 'kind'),
          `${title}: resourceModifier of kind ${quote(kind)} is not read; Velero reads a ConfigMap`,
        );
      }
      if (modifiers === undefined) {
        return report(place, `${title}: ConfigMap ${name} may change the hooks, and isn't given`);
      }
      const away = modifiers.configMap?.namespace;
      if (away && namespace !== undefined && away !== namespace) {
        report(place, `${title}: ConfigMap ${name} is in namespace ${away}; Velero looks for it in ${namespace}`);
      }
      for (const what of changesOfPods(modifiers)) report(place, `${title}: ConfigMap ${name} ${what}`);
    },
  },
  {
    id: 'restore-namespace-pattern-invalid',
    severity: 'error',
    on: 'restore',
    reason:
      'A pattern that Velero can not compile makes its whole list blind: names that sort behind it are not matched.',
    fix: 'Write one range or one list of characters between brackets, close all brackets, or name the namespaces.',
    check({ root, spec, title }, report) {
      for (const key of ['includedNamespaces', 'excludedNamespaces']) {
        for (const [index, pattern] of strings(spec[key]).entries()) {
          if (placeholderInName(pattern) !== undefined || compileGlob(pattern) !== undefined) continue;
          report(below(root, 'spec', key, index), `${title}: Velero can't compile the pattern ${quote(pattern)}`);
        }
      }
    },
  },
  {
    id: 'velero-duration-invalid',
    severity: 'error',
    on: 'velero',
    reason:
      "A duration that Velero's cache can not decode is accepted by the API server and stops Velero: no object of that kind is worked on until it is deleted.",
    fix: 'Write it as Go does: 45s, 1m30s, 24h.',
    check({ kind, title, fields }, report) {
      for (const { name, value, place, isOfHook } of fields) {
        // A hook's durations have a finding of their own.
        const isEmpty = value === '';
        if (value === null || typeof value !== 'string' || (isOfHook && !isEmpty)) continue;
        if (parseDurationMs(value) !== undefined || placeholderInName(value) !== undefined) continue;
        const meant = isEmpty ? undefined : meantDuration(value);
        const hint = meant === undefined ? '' : `; did you mean ${quote(meant)}?`;
        const message = `${title}: ${name} ${quote(value)} is no duration, and stops every ${kind}${hint}`;
        report(place, message, meant === undefined ? undefined : { place, text: meant });
      }
    },
  },
  {
    id: 'velero-duration-null',
    severity: 'warning',
    on: 'velero',
    reason:
      'A duration that is null is refused by readers that know the type, such as Velero and its CLI; a cluster that drops it hides that.',
    fix: 'Leave the field out.',
    check({ title, fields }, report) {
      for (const { name, value, place } of fields) {
        if (value === null) report(place, `${title}: ${name} is null`);
      }
    },
  },
];

const isForPods = ({ groupResource }: Fields): boolean =>
  groupResource === 'pods' || groupResource === '*' || groupResource === '**' || groupResource === 'p*';

/** Changes of pods by modifiers that can affect a hook. */
function changesOfPods({ rules }: Modifiers): string[] {
  const ofPods = rules.filter(({ conditions }) => isForPods(conditions));
  const paths = ofPods.flatMap(({ patches, fields }) => [
    ...patches.flatMap(({ fields: { operation, path, from } }) =>
      operation === 'test' ? [] : [textOf(path), textOf(from)],
    ),
    ...['mergePatches', 'strategicPatches'].flatMap((key) =>
      (Array.isArray(fields[key]) ? fields[key] : []).flatMap((patch) => pathsIn(textOf(fieldsOf(patch)['patchData']))),
    ),
  ]);
  const touches = (pattern: RegExp): boolean => paths.some((path) => pattern.test(path));
  return [
    ...(touches(/^\/metadata\/annotations(?:$|\/(?:post|init)\.hook)/)
      ? ["changes pods' annotations, from which hooks are read"]
      : []),
    ...(touches(/^\/metadata\/labels/) ? ["changes pods' labels, by which hooks are chosen"] : []),
    ...(touches(/^\/spec\/initContainers/) ? ['changes init containers: those of hooks come first, at index 0'] : []),
    ...(touches(/^\/spec\/containers(?:$|\/[^/]+$|.*\/name$)/)
      ? ['adds, removes or renames containers, in which hooks run']
      : []),
  ];
}

/** The paths that a patch changes, judged by the keys in its text, YAML or JSON. */
function pathsIn(text: string): string[] {
  const has = (key: string): boolean => new RegExp(`(?:^|[\\s"{,])${key}"?\\s*:`).test(text);
  return [
    ...(has('annotations') && /(?:post|init)\.hook/.test(text) ? ['/metadata/annotations'] : []),
    ...(has('labels') ? ['/metadata/labels'] : []),
    ...(has('initContainers') ? ['/spec/initContainers'] : []),
  ];
}
