import { judgeKey, PREFIXES } from '../../mistakes/annotation-keys.ts';
import { onlyOurs } from '../../mistakes/planned.ts';
import { below, keyOf, quote } from '../collect/place.ts';
import type { Metadata } from '../collect/subjects.ts';
import type { Rule } from './rule.ts';

const keysOf = ({ values }: Metadata): string[] => Object.keys(values);

/** The keys of one prefix, also those that are only probably meant. */
function presentNames(metadata: Metadata, prefix: string): Set<string> {
  const names = new Set<string>();
  for (const key of keysOf(metadata)) {
    const verdict = judgeKey(key);
    const meant = 'meant' in verdict ? verdict.meant : key;
    if (meant?.startsWith(`${prefix}/`)) names.add(meant.slice(prefix.length + 1));
  }
  return names;
}

export const annotationRules: readonly Rule[] = [
  {
    id: 'annotation-key-unknown',
    severity: 'error',
    on: 'metadata',
    reason: 'A key that Velero does not know under its own prefix is ignored without a word.',
    fix: 'Write one of the documented keys.',
    check(metadata, report) {
      if (metadata.of === 'labels') return;
      for (const key of keysOf(metadata)) {
        const verdict = judgeKey(key);
        if (verdict.is !== 'unknown-name') continue;
        reportKey(metadata, key, verdict, 'is no key of a restore hook', report);
      }
    },
  },
  {
    id: 'annotation-prefix-unknown',
    severity: 'error',
    on: 'metadata',
    reason: 'A mistyped prefix makes the annotation mean nothing: the hook never runs.',
    fix: 'Begin the key with post.hook.restore.velero.io/ or init.hook.restore.velero.io/.',
    check(metadata, report) {
      if (metadata.of === 'labels') return;
      for (const key of keysOf(metadata)) {
        const verdict = judgeKey(key);
        if (verdict.is !== 'unknown-prefix') continue;
        reportKey(metadata, key, verdict, 'is not how the key of a restore hook begins', report);
      }
    },
  },
  {
    id: 'annotation-without-effect',
    severity: 'error',
    on: 'metadata',
    reason: "Velero's annotations have no wave, retry-attempts, retry-delay and detach: only our own have them.",
    fix: 'Write the whole hook with keys of post.hook.restorehooks.io/, or take the key away.',
    check(metadata, report) {
      if (metadata.of === 'labels') return;
      for (const key of keysOf(metadata)) {
        const verdict = judgeKey(key);
        if (verdict.is === 'only-ours') report(keyOf(below(metadata.place, key)), onlyOurs(key, verdict.ours));
      }
    },
  },
  {
    id: 'pre-restore-hook',
    severity: 'error',
    on: 'metadata',
    reason: 'There are no hooks before a restore: the pod does not exist yet.',
    fix: 'Use an init hook (init.hook.restore.velero.io/) for what must happen before the containers start.',
    check(metadata, report) {
      for (const key of keysOf(metadata)) {
        if (judgeKey(key).is === 'pre-restore') {
          report(keyOf(below(metadata.place, key)), `${quote(key)}: there is no pre-restore hook`);
        }
      }
    },
  },
  {
    id: 'annotation-not-a-string',
    severity: 'error',
    on: 'metadata',
    reason: 'Annotations are strings: the API server refuses a number, a boolean or a list.',
    fix: 'Put the value in quotes.',
    check(metadata, report) {
      for (const [key, value] of Object.entries(metadata.values)) {
        if (typeof value === 'string' || value === null || judgeKey(key).is === 'other') continue;
        const place = below(metadata.place, key);
        const safe = typeof value === 'boolean' || Number.isSafeInteger(value);
        const message = `the value of ${quote(key)} is not a string`;
        report(place, message, safe ? { place, text: String(value) } : undefined);
      }
    },
  },
  {
    id: 'annotation-misplaced',
    severity: 'error',
    on: 'metadata',
    reason: 'Hooks are read from the annotations of pods alone, never from a workload or from labels.',
    fix: "Move it to the annotations of the pod (of a workload: the template's metadata).",
    check(metadata, report) {
      if (metadata.of === 'pod' || metadata.of === 'part') return;
      const [first, ...more] = keysOf(metadata).filter((key) => judgeKey(key).is === 'known');
      if (first === undefined) return;
      const what = more.length === 0 ? `${quote(first)}` : `${quote(first)} and ${more.length} more`;
      const where = metadata.of === 'labels' ? 'among labels' : `on the ${metadata.kind}, not on its pods`;
      report(keyOf(below(metadata.place, first)), `${what}: ${where}`);
    },
  },
  {
    id: 'annotation-without-command',
    severity: 'error',
    on: 'metadata',
    reason: 'Without a command annotation that is not empty there is no exec hook, whatever the other keys say.',
    fix: 'Add the command annotation, or take the others away.',
    check(metadata, report) {
      if (metadata.of !== 'pod') return;
      for (const [prefix, { kind }] of Object.entries(PREFIXES)) {
        const names = presentNames(metadata, prefix);
        const command = metadata.values[`${prefix}/command`];
        if (metadata.around[`${prefix}/command`]) continue;
        if (kind !== 'exec' || names.size === 0 || (names.has('command') && command !== '' && command !== null))
          continue;
        const first = keysOf(metadata).find((key) => key.startsWith(`${prefix}/`));
        if (first === undefined) continue;
        const what = names.has('command') ? 'is empty' : 'is missing';
        report(keyOf(below(metadata.place, first)), `${prefix}/command ${what}: there is no hook`);
      }
    },
  },
  {
    id: 'init-annotation-without-image',
    severity: 'error',
    on: 'metadata',
    reason: 'Without a container-image annotation there is no init hook, whatever the other keys say.',
    fix: 'Add the container-image annotation, or take the others away.',
    check(metadata, report) {
      if (metadata.of !== 'pod') return;
      for (const [prefix, { kind }] of Object.entries(PREFIXES)) {
        const names = presentNames(metadata, prefix);
        const image = metadata.values[`${prefix}/container-image`];
        if (metadata.around[`${prefix}/container-image`]) continue;
        if (kind !== 'init' || names.size === 0 || (names.has('container-image') && image !== '' && image !== null))
          continue;
        const first = keysOf(metadata).find((key) => key.startsWith(`${prefix}/`));
        if (first === undefined) continue;
        report(keyOf(below(metadata.place, first)), `${prefix}/container-image is missing: there is no init hook`);
      }
    },
  },
];

function reportKey(
  metadata: Metadata,
  key: string,
  { meant, sure }: { meant: string | undefined; sure: boolean },
  what: string,
  report: Parameters<Rule['check']>[1],
): void {
  const place = keyOf(below(metadata.place, key));
  const free = meant !== undefined && !Object.hasOwn(metadata.values, meant);
  const hint =
    meant === undefined
      ? oneHook(key)
      : `; ${free ? 'did you mean' : 'there is already'} ${quote(meant)}${free ? '?' : ''}`;
  report(place, `${quote(key)} ${what}${hint}`, sure && free ? { place, text: meant } : undefined);
}

/** Keys such as `first.command`, by which other tools number their hooks. */
const oneHook = (key: string): string =>
  /\/.+\.(?:command|container|on-error|exec-timeout|wait-timeout|container-image)$/.test(key)
    ? "; a pod's annotations hold one hook: write more in a Restore's spec.hooks"
    : '';
