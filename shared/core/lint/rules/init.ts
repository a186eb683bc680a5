import { closest } from '../../closest.ts';
import { DNS_LABEL } from '../../names.ts';
import { below, quote, some } from '../collect/place.ts';
import { placeholderInName } from '../collect/placeholder.ts';
import type { LintedInit } from '../collect/subjects.ts';
import type { Rule } from './rule.ts';

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** An image's tag: the text after the last colon of the last part, if there is no digest. */
function tagOf(image: string): string | undefined {
  const [, tag] = /:([^:/@]+)$/.exec(image) ?? [];
  return tag;
}

const isTemplated = (image: string): boolean => /[{}$<>]/.test(image);

export const initRules: readonly Rule[] = [
  {
    id: 'init-annotation-without-command',
    severity: 'error',
    on: 'init',
    reason: "Velero's plugin panics on an init annotation without a command, and the pod is not restored at all.",
    fix: 'Add the command annotation, such as ["/bin/sh", "-c", "…"].',
    check({ source, origin, fields: { command }, place, title }, report) {
      if (source === 'annotation' && origin === 'velero' && text(command?.value) === undefined) {
        report(command?.place ?? place, `${title} has no command: Velero does not restore the pod`);
      }
    },
  },
  {
    id: 'init-container-incomplete',
    severity: 'error',
    on: 'init',
    reason: 'Velero refuses a Restore whose init container lacks a name, an image or a command.',
    fix: 'Give it all three.',
    check({ source, fields: { name, image, command }, place, title }, report) {
      if (source !== 'entry') return;
      const missing = [
        ...(text(name?.value) ? [] : ['name']),
        ...(text(image?.value) ? [] : ['image']),
        ...(Array.isArray(command?.value) && command.value.length > 0 ? [] : ['command']),
      ];
      if (missing.length > 0) report(place, `${title}: its init container has no ${missing.join(', no ')}`);
    },
  },
  {
    id: 'init-image-latest',
    severity: 'info',
    on: 'init',
    reason: 'An image without a fixed tag can be another one on the day of the restore.',
    fix: 'Name a tag other than latest, or a digest.',
    check({ fields: { image }, title }, report) {
      const name = text(image?.value);
      if (image === undefined || name === undefined || name.includes('@') || isTemplated(name)) return;
      const tag = tagOf(name);
      if (tag !== undefined && tag !== 'latest') return;
      report(image.place, `${title}: image ${quote(name)} has ${tag === undefined ? 'no tag' : 'the tag latest'}`);
    },
  },
  {
    id: 'init-container-name-invalid',
    severity: 'error',
    on: 'init',
    reason: 'Kubernetes refuses a pod with a container name that is no DNS label.',
    fix: 'Use at most 63 of a-z, 0-9 and -, with a letter or a digit at both ends.',
    check({ fields: { name }, title }, report) {
      const value = text(name?.value);
      if (name === undefined || value === undefined || DNS_LABEL.test(value)) return;
      if (placeholderInName(value) !== undefined) return;
      report(name.place, `${title}: ${quote(value)} is no name for a container`);
    },
  },
  {
    id: 'init-container-name-taken',
    severity: 'error',
    on: 'init',
    reason: 'Kubernetes refuses a pod in which two containers have the same name.',
    fix: 'Give the init container a name of its own.',
    check(init, report) {
      const { name } = init.fields;
      const value = text(name?.value);
      if (name === undefined || value === undefined) return;
      const where = takenIn(init, value);
      if (where !== undefined) report(name.place, `${init.title}: the name ${quote(value)} is taken in ${where}`);
    },
  },
  {
    id: 'init-volume-missing',
    severity: 'error',
    on: 'init',
    reason:
      'Kubernetes refuses a pod with a container that mounts a volume which the pod does not have, so it is not restored.',
    fix: "Name one of the pod's own volumes.",
    check({ mounts, pods, title }, report) {
      for (const { value, place } of mounts) {
        if (typeof value !== 'string' || value === '' || placeholderInName(value) !== undefined) continue;
        const without = pods.filter((pod) => !pod.live && !pod.isPart && !pod.volumes.includes(value));
        const [first] = without;
        if (first === undefined) continue;
        const near = closest(value, first.volumes);
        const hint = near === undefined ? '' : `; did you mean ${quote(near)}?`;
        report(place, `${title}: no volume ${quote(value)} in ${some(without.map((pod) => pod.title))}${hint}`);
      }
    },
  },
  {
    id: 'init-restart-policy-rules-lost',
    severity: 'warning',
    on: 'init',
    reason: 'Velero drops restartPolicyRules of the containers that it injects, without a word.',
    fix: 'Leave them out, and let the command itself try again.',
    check({ hasRestartRules, origin, place, title }, report) {
      if (hasRestartRules && origin === 'velero')
        report(below(place, 'restartPolicyRules'), `${title}: restartPolicyRules are lost`);
    },
  },
];

function takenIn({ earlier, pods, fields: { image } }: LintedInit, name: string): string | undefined {
  if (earlier.includes(name)) return 'the same hook';
  // A live pod may have the container because Velero has injected it.
  const having = pods.filter(
    (pod) => !(pod.live && image !== undefined) && pod.containers.some((container) => container.name === name),
  );
  return having.length === 0 ? undefined : some(having.map((pod) => pod.title));
}
