import { admitsPods } from '../../model/includes-excludes.ts';
import { LabelSelector, labelSelectorProblems } from '../../model/label-selector.ts';
import { parsePath } from '../collect/path.ts';
import { below, quote } from '../collect/place.ts';
import { placeholderInName } from '../collect/placeholder.ts';
import type { Fields, LintedEntry } from '../collect/subjects.ts';
import type { Rule } from './rule.ts';

/** Labels that controllers add to pods, so a template doesn't have them. */
const GIVEN_LATER =
  /^(?:pod-template-hash|controller-revision-hash|pod-template-generation|controller-uid|job-name|statefulset\.kubernetes\.io\/.*|apps\.kubernetes\.io\/.*|batch\.kubernetes\.io\/.*|velero\.io\/.*)$/;

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

/** Whether a name is a pattern or a placeholder. */
const isOpen = (name: string): boolean => /[*?[\]{}\\]/.test(name) || placeholderInName(name) !== undefined;

function hasPlaceholder({ fields }: LintedEntry): boolean {
  const { matchLabels } = (fields['labelSelector'] ?? {}) as Fields;
  const values = [...strings(fields['includedNamespaces']), ...strings(Object.values(matchLabels ?? {}))];
  return values.some((value) => placeholderInName(value) !== undefined);
}

function selectorKeys({ labelSelector }: Fields): string[] {
  const parsed = LabelSelector().safeParse(labelSelector ?? {});
  if (!parsed.success) return [];
  const { matchLabels, matchExpressions } = parsed.data;
  return [...Object.keys(matchLabels ?? {}), ...(matchExpressions ?? []).map(({ key }) => key)];
}

const mayMatchLater = ({ fields, given }: LintedEntry): boolean =>
  given.some(({ template }) => template !== undefined) && selectorKeys(fields).some((key) => GIVEN_LATER.test(key));

export const entryRules: readonly Rule[] = [
  {
    id: 'entry-matches-nothing',
    severity: 'warning',
    on: 'entry',
    reason: 'A hook that applies to no pod never runs, and nothing says so at the restore.',
    fix: 'Compare its namespaces (of the target, after namespaceMapping) and labels with those of the pods.',
    check(entry, report) {
      const { selectorIsValid, pods, given, place, title } = entry;
      if (entry.entry === undefined || !selectorIsValid || given.length === 0 || pods.length > 0) return;
      // Unreadable patterns have findings of their own.
      if (!entry.entry.admitsPods || entry.entry.badPatterns.length > 0 || mayMatchLater(entry)) return;
      if (hasPlaceholder(entry)) return;
      report(place, `${title} matches none of the ${given.length} pods and templates given`);
    },
  },
  {
    id: 'entry-outside-restore',
    severity: 'warning',
    on: 'list',
    reason: 'An entry whose namespaces are none of those that are restored to applies to nothing.',
    fix: 'Name the namespaces that the pods are restored to, after namespaceMapping.',
    check({ kind, object, entries }, report) {
      const spec = ((object as Fields)['spec'] ?? {}) as Fields;
      const from = strings(spec['includedNamespaces']);
      if (kind !== 'Restore' || from.length === 0 || from.some(isOpen)) return;
      const mapping = (spec['namespaceMapping'] ?? {}) as Fields;
      const targets = from.map((name) => (Object.hasOwn(mapping, name) ? mapping[name] : name));
      for (const { fields, place, title } of entries) {
        const names = strings(fields['includedNamespaces']);
        if (names.length === 0 || names.some((name) => isOpen(name) || targets.includes(name))) continue;
        const restoredTo = targets.map(String).join(', ');
        report(below(place, 'includedNamespaces'), `${title}: pods are restored to ${restoredTo} only`);
      }
    },
  },
  {
    id: 'entry-without-hooks',
    severity: 'warning',
    on: 'entry',
    reason: 'An entry without an exec or init hook does nothing.',
    fix: 'Give it a hook under postHooks, or take it away.',
    check({ fields, place, title }, report) {
      const hooks = fields['postHooks'];
      if (!Array.isArray(hooks) || hooks.length === 0) return report(place, `${title} has no postHooks`);
      for (const [index, hook] of hooks.entries()) {
        const { exec, init } = (hook ?? {}) as Fields;
        if (exec || init) continue;
        report(below(place, 'postHooks', index), `${title}: postHooks[${index}] has neither exec nor init`);
      }
    },
  },
  {
    id: 'namespace-pattern-invalid',
    severity: 'error',
    on: 'entry',
    reason:
      'A pattern that Velero can not compile matches nothing, and makes its whole list blind for names that sort behind it.',
    fix: 'Write one range or one list of characters between brackets, close all brackets, or write * for any text.',
    check({ entry, fields, place, title }, report) {
      for (const key of ['includedNamespaces', 'excludedNamespaces']) {
        for (const [index, pattern] of strings(fields[key]).entries()) {
          if (!entry?.badPatterns.includes(pattern) || placeholderInName(pattern) !== undefined) continue;
          report(below(place, key, index), `${title}: Velero can't compile the pattern ${quote(pattern)}`);
        }
      }
    },
  },
  {
    id: 'included-and-excluded',
    severity: 'warning',
    on: 'entry',
    reason: 'What is excluded stays out, even if it is included as well.',
    fix: 'Take it out of one of the two lists.',
    check({ fields, place, title }, report) {
      for (const kind of ['Namespaces', 'Resources']) {
        const included = strings(fields[`included${kind}`]);
        for (const [index, name] of strings(fields[`excluded${kind}`]).entries()) {
          // Velero ignores an excluded `*` of resources.
          const all = name === '*' && kind === 'Namespaces';
          if (!included.includes(name) && !all) continue;
          const message = all ? 'all namespaces are excluded' : `${quote(name)} is both included and excluded`;
          report(below(place, `excluded${kind}`, index), `${title}: ${message}`);
        }
      }
    },
  },
  {
    id: 'entry-excludes-pods',
    severity: 'error',
    on: 'entry',
    reason:
      'An entry whose resources do not admit pods is never run here; Velero, which does not read them, runs it in every pod that the rest of the entry admits.',
    fix: 'Add pods to includedResources, or leave the list out.',
    check({ fields, place, title }, report) {
      const [included, excluded] = [strings(fields['includedResources']), strings(fields['excludedResources'])];
      if (admitsPods(included, excluded)) return;
      const key = admitsPods(included, []) ? 'excludedResources' : 'includedResources';
      report(below(place, key), `${title}: its resources don't admit pods`);
    },
  },
  {
    id: 'label-selector-invalid',
    severity: 'error',
    on: 'entry',
    reason: 'Velero refuses a Restore with a label selector that Kubernetes does not accept.',
    fix: 'Use label keys and values, and the operators In, NotIn, Exists, DoesNotExist.',
    check(entry, report) {
      const { fields, place, title } = entry;
      if (hasPlaceholder(entry)) return;
      const parsed = LabelSelector().safeParse(fields['labelSelector'] ?? {});
      if (!parsed.success) return;
      for (const { path, expected } of labelSelectorProblems(parsed.data)) {
        report(below(place, 'labelSelector', ...parsePath(path)), `${title}: expected ${expected}`);
      }
    },
  },
  {
    id: 'entry-field-without-effect',
    severity: 'warning',
    on: 'entry',
    reason: 'An init container runs in each pod, when that pod starts: wave and runOn are about exec hooks.',
    fix: 'Take the field away, or give the entry an exec hook.',
    check({ fields, place, title, execs, inits }, report) {
      if (execs.length > 0 || inits.length === 0) return;
      for (const key of ['wave', 'runOn']) {
        const isSet = fields[key] !== undefined && fields[key] !== null && fields[key] !== 0 && fields[key] !== 'all';
        if (isSet) report(below(place, key), `${title}: ${key} has no effect, because the entry has only init hooks`);
      }
    },
  },
  {
    id: 'wave-without-gate',
    severity: 'info',
    on: 'list',
    reason: 'Only a hook with onError: Fail keeps later waves from starting if it does not succeed.',
    fix: 'Set onError: Fail if the later waves need what the hook does.',
    check({ kind, entries }, report) {
      if (kind !== 'RestoreHooks') return;
      const last = Math.max(...entries.filter(({ execs }) => execs.length > 0).map(waveOf));
      for (const entry of entries) {
        if (waveOf(entry) >= last) continue;
        for (const { title, place, fields } of entry.execs) {
          const { onError } = fields;
          if (onError?.value === 'Fail') continue;
          report(
            onError?.place ?? place,
            `${title}: if it fails, the waves behind wave ${waveOf(entry)} start all the same`,
          );
        }
      }
    },
  },
  {
    id: 'entry-without-name',
    severity: 'warning',
    on: 'entry',
    reason: 'Velero demands a name, and reports and --only name a hook by it.',
    fix: 'Give the entry a name.',
    check({ fields, place }, report) {
      if (fields['name'] === undefined || fields['name'] === null || fields['name'] === '') {
        report(place, 'this entry has no name');
      }
    },
  },
  {
    id: 'entry-name-duplicate',
    severity: 'warning',
    on: 'list',
    reason: 'Two entries of the same name can not be told apart in a plan or a report.',
    fix: 'Give each entry a name of its own.',
    check({ entries }, report) {
      const seen = new Set<unknown>();
      for (const { fields, place } of entries) {
        const name = fields['name'];
        if (typeof name !== 'string' || name === '') continue;
        if (seen.has(name)) report(below(place, 'name'), `the name ${quote(name)} is taken by an entry before it`);
        seen.add(name);
      }
    },
  },
];

/** Of an entry of a RestoreHooks document: a Restore's have no wave. */
export const waveOf = ({ fields }: LintedEntry): number => (typeof fields['wave'] === 'number' ? fields['wave'] : 0);
