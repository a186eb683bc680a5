import { closest } from '../../closest.ts';
import { parseDurationMs } from '../../model/duration.ts';
import { HOOK_ENTRY, OWN_FIELDS } from '../../model/known-fields.ts';
import { Restore, RestoreHooks } from '../../model/restore.ts';
import type { Place } from '../collect/place.ts';
import { below, keyOf, quote } from '../collect/place.ts';
import type { Fields, HookList } from '../collect/subjects.ts';
import type { Report, Rule } from './rule.ts';

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
const itemsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const SPEC_FIELDS_OF_HOOKS = ['hooks', 'namespaceMapping', 'includedNamespaces', 'excludedNamespaces', 'labelSelector'];
/** Fields of a Restore's spec that look similar to some of those. */
const OTHER_SPEC_FIELDS = ['includedResources', 'excludedResources', 'orLabelSelectors', 'includeClusterResources'];

/** Every mapping in a hook list whose fields are known. */
function* mappings({ kind, object, root, entries }: HookList): Generator<[Place, Fields, readonly string[]]> {
  const spec = fieldsOf(fieldsOf(object)?.['spec']);
  if (kind === 'Restore') {
    const hooks = fieldsOf(spec?.['hooks']);
    if (hooks) yield [below(root, 'spec', 'hooks'), hooks, ['resources']];
  } else if (spec) yield [below(root, 'spec'), spec, ['resources']];
  for (const { fields, place: at } of entries) {
    yield [at, fields, Object.keys(HOOK_ENTRY[kind])];
    const selector = fieldsOf(fields['labelSelector']);
    if (selector) yield [below(at, 'labelSelector'), selector, ['matchLabels', 'matchExpressions']];
    for (const [hookIndex, hook] of itemsOf(fields['postHooks']).entries()) {
      const hookAt = below(at, 'postHooks', hookIndex);
      const hookFields = fieldsOf(hook);
      if (!hookFields) continue;
      yield [hookAt, hookFields, ['exec', 'init']];
      const [exec, init] = [fieldsOf(hookFields['exec']), fieldsOf(hookFields['init'])];
      const [known] = HOOK_ENTRY[kind].postHooks;
      if (exec) yield [below(hookAt, 'exec'), exec, Object.keys(known.exec)];
      const retry = 'retry' in known.exec ? fieldsOf(exec?.['retry']) : undefined;
      if (retry) yield [below(hookAt, 'exec', 'retry'), retry, ['attempts', 'delay', 'maxDelay']];
      if (init) yield [below(hookAt, 'init'), init, Object.keys(known.init)];
    }
  }
}

export const fieldRules: readonly Rule[] = [
  {
    id: 'field-unknown',
    severity: 'error',
    on: 'list',
    reason: 'A field that is not known is dropped without a word, and what it was to say is lost.',
    fix: 'Write the field as Velero spells it.',
    check(list, report) {
      for (const [place, fields, known] of mappings(list)) {
        for (const key of Object.keys(fields)) {
          if (!known.includes(key)) reportField(place, fields, key, known, report);
        }
      }
      const spec = fieldsOf(fieldsOf(list.object)?.['spec']);
      if (list.kind !== 'Restore' || spec === undefined) return;
      // A later Velero may have more fields, so only names similar to a field that hooks depend on are reported.
      for (const key of Object.keys(spec)) {
        if ([...SPEC_FIELDS_OF_HOOKS, ...OTHER_SPEC_FIELDS].includes(key)) continue;
        const near = SPEC_FIELDS_OF_HOOKS.find(
          (name) => name.toLowerCase() === key.toLowerCase() || `${name}s` === key || name === `${key}s`,
        );
        if (near) reportField(below(list.root, 'spec'), spec, key, [near], report);
      }
    },
  },
  {
    id: 'field-invalid',
    severity: 'error',
    on: 'list',
    reason: 'A value of the wrong type makes the whole object invalid: Velero and kubectl refuse it.',
    fix: 'Write a value of the type that is expected.',
    check({ kind, object, root }, report) {
      const parsed = (kind === 'Restore' ? Restore : RestoreHooks()).safeParse(object);
      for (const { path, message } of parsed.error?.issues ?? []) {
        const parts = path.map((part) => (typeof part === 'number' ? part : String(part)));
        if (!isOfAnotherRule(parts, object) && !isGenerated(parts, object)) {
          report(below(root, ...parts), `${parts.at(-1)}: ${message.replace(/^Invalid input: /, '')}`);
        }
      }
    },
  },
];

const DURATIONS = ['execTimeout', 'waitTimeout', 'timeout'];

/** The API server makes the name of an object with a generateName. */
function isGenerated(path: readonly (string | number)[], object: unknown): boolean {
  const metadata = fieldsOf(fieldsOf(object)?.['metadata']);
  return path.join('.') === 'metadata.name' && typeof metadata?.['generateName'] === 'string';
}

function isOfAnotherRule(path: readonly (string | number)[], object: unknown): boolean {
  const last = path.at(-1);
  if (path.join('.') === 'spec.itemOperationTimeout') return true;
  if (!path.includes('postHooks') || typeof last !== 'string' || !DURATIONS.includes(last)) return false;
  let value: unknown = object;
  for (const part of path) value = (value as Fields | undefined)?.[part];
  return typeof value !== 'string' || parseDurationMs(value) === undefined;
}

function reportField(place: Place, fields: Fields, key: string, known: readonly string[], report: Report): void {
  const same = known.find((name) => name.toLowerCase() === key.toLowerCase().replace(/[-_]/g, ''));
  const near = same ?? closest(key, known);
  const at = keyOf(below(place, key));
  if (OWN_FIELDS.includes(key) && (known.includes('postHooks') || known.includes('waitForReady'))) {
    report(at, `there is no field ${quote(key)} here: only a RestoreHooks document has it (--hooks)`);
    return;
  }
  const hint = near === undefined ? '' : `; did you mean ${quote(near)}?`;
  const sure = near !== undefined && !Object.hasOwn(fields, near) && (same !== undefined || key.length > 4);
  report(at, `there is no field ${quote(key)} here${hint}`, sure ? { place: at, text: near } : undefined);
}
