import { isDeepStrictEqual } from 'node:util';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { Pod } from '../../shared/core/model/pod.ts';
import { problemLine, problemsOf } from '../../shared/core/model/problem.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { HookEntries } from '../../shared/core/plan/hook-entries.ts';
import type { InitContainerPlaces } from '../../shared/core/plan/init-containers.ts';
import { withMissing } from '../../shared/core/plan/init-containers.ts';
import { planInitHooks } from '../../shared/core/plan/plan-init-hooks.ts';
import { targetNamespace, whyNotRestored } from '../../shared/core/plan/restored-pod.ts';
import type { InputObject, ManifestObject, ManifestText } from '../../shared/input/manifests.ts';
import { objectsIn, parseTexts } from '../../shared/input/manifests.ts';
import { podTemplatePath } from '../../shared/input/objects.ts';
import { formatYaml } from '../output/yaml.ts';
import type { Insertion, Path } from './manifest-edit.ts';
import { insertInitContainers } from './manifest-edit.ts';

export interface InjectionInput {
  readonly entries: HookEntries;
  /** If given, its filters and its namespaceMapping are applied. */
  readonly restore?: Restore | undefined;
  /** The namespace of manifests that name none. */
  readonly namespace?: string | undefined;
}

export interface Injected {
  readonly text: string;
  readonly isJson: boolean;
  /** Lines that say what was done. */
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
}

/** Where the pod template stands in Kubernetes' own kinds. Objects of other groups are searched for one. */
const POD_PATHS: Readonly<Record<string, { readonly groups: RegExp; readonly path: Path }>> = {
  Pod: { groups: /^v1$/, path: [] },
  Deployment: { groups: /^(apps|extensions)\//, path: ['spec', 'template'] },
  StatefulSet: { groups: /^apps\//, path: ['spec', 'template'] },
  DaemonSet: { groups: /^(apps|extensions)\//, path: ['spec', 'template'] },
  ReplicaSet: { groups: /^(apps|extensions)\//, path: ['spec', 'template'] },
  Job: { groups: /^batch\//, path: ['spec', 'template'] },
  CronJob: { groups: /^batch\//, path: ['spec', 'jobTemplate', 'spec', 'template'] },
};

/** Inject the init containers into the manifests of one file. Everything else stays as it was written (R2.28). */
export function injectInto(text: string, file: string, input: InjectionInput): Injected {
  const changes: string[] = [];
  const warnings: string[] = [];
  const texts = parseTexts(text, file);
  const done = texts.map((part) => {
    const insertions: Insertion[] = [];
    for (const [document, { value, line }] of part.documents.entries()) {
      if (value === null) continue;
      for (const { object, path } of objectsIn(value, { file, line })) {
        const found = missingIn(object, { file, line }, input);
        if (found === undefined) continue;
        for (const message of found.notices) warnings.push(`${file}:${line}: ${found.title}: ${message}`);
        if (found.missing.length === 0) continue;
        const names = found.missing.map(({ container }) => container.name);
        changes.push(`injected into ${found.title}: ${names.join(', ')}`);
        insertions.push({ document, podSpec: [...path, ...found.podSpec], containers: found.missing });
      }
    }
    if (insertions.length === 0) return part.text;
    return edited(part, file, insertions) ?? rewritten(part, file, insertions, warnings);
  });
  const gaps = gapLines(texts, file);
  if (changes.length > 0 && gaps.length > 0) throw unseen(gaps);
  warnings.push(...gaps);
  return { text: done.join(''), isJson: texts.some(({ isJson }) => isJson), changes, warnings };
}

const gapLines = (texts: readonly ManifestText[], file: string): string[] =>
  texts.flatMap(({ gaps }) => gaps).map(({ line, reason }) => `${file}:${line}: ${reason}`);

/**
 * Refuse a file that kubectl reads only in part: we must not report an injection into a part that kubectl never sees.
 */
const unseen = (gaps: readonly string[]): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', gaps.slice(0, 20).join('\n'), {
    hint: 'begin each document with --- on a line of its own',
  });

interface Found {
  /** For example `Deployment shop/web`. */
  readonly title: string;
  readonly podSpec: Path;
  readonly missing: InitContainerPlaces['missing'];
  readonly notices: readonly string[];
}

/** The init containers that an object lacks; undefined if it has no pod, or the Restore leaves its pod out. */
function missingIn(object: ManifestObject, source: InputObject['source'], input: InjectionInput): Found | undefined {
  const { kind, apiVersion } = object;
  if (typeof kind !== 'string') return undefined;
  const path = podPathOf(object, kind, apiVersion);
  if (path === undefined) return undefined;
  const written = podOf(object, kind, path, source, input.namespace);
  const { namespace, name } = written.metadata;
  if (input.restore !== undefined && whyNotRestored(input.restore, written) !== undefined) return undefined;
  const target = input.restore === undefined ? namespace : targetNamespace(input.restore.spec, written);
  const pod = { ...written, metadata: { ...written.metadata, namespace: target } };

  const podSpec = [...path, 'spec'];
  const { places, notices } = planInitHooks(pod, input.entries);
  return {
    title: `${kind} ${namespace}/${name}`,
    podSpec,
    missing: places.missing,
    notices: notices.map(({ message }) => message),
  };
}

/** DeploymentConfig, Rollout and other workloads have their pod template where a Deployment has it. */
function podPathOf(object: ManifestObject, kind: string, apiVersion: unknown): Path | undefined {
  const own = Object.hasOwn(POD_PATHS, kind) ? POD_PATHS[kind] : undefined;
  if (own === undefined) return podTemplatePath(object);
  return typeof apiVersion !== 'string' || own.groups.test(apiVersion) ? own.path : undefined;
}

/** The pod that an object is or creates. From a template: its labels and annotations, and the workload's namespace. */
function podOf(
  object: ManifestObject,
  kind: string,
  path: Path,
  source: InputObject['source'],
  namespace: string | undefined,
): Pod {
  const own = (valueAt(object, ['metadata']) ?? {}) as ManifestObject;
  const template = (valueAt(object, path) ?? {}) as ManifestObject;
  const metadata = (valueAt(template, ['metadata']) ?? {}) as ManifestObject;
  const parsed = Pod.safeParse({
    metadata: {
      ...metadata,
      name: own['name'] || own['generateName'],
      namespace: own['namespace'] || namespace,
      uid: undefined,
    },
    spec: template['spec'],
    status: path.length === 0 ? object['status'] : undefined,
  });
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error).map((problem) => {
    const isOwn = /^metadata\.name(space)?$/.test(problem.path);
    const at = isOwn ? problem.path : [...path, problem.path].join('.');
    return problemLine({ ...problem, path: at });
  });
  throw new RestoreHooksError('INVALID_INPUT', `${source.file}:${source.line}: ${kind}: ${problems.join('; ')}`);
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}

/** The documents as a YAML parser must read them after the insertions. */
function expected({ documents }: ManifestText, insertions: readonly Insertion[]): unknown[] {
  const values: unknown[] = JSON.parse(JSON.stringify(documents.map(({ value }) => value)));
  for (const { document, podSpec, containers } of insertions) {
    const spec = valueAt(values[document], podSpec) as { initContainers?: unknown[] | null };
    spec.initContainers = [...withMissing(spec.initContainers ?? [], containers)];
  }
  return values;
}

/**
 * The text with the insertions. undefined if a YAML parser would then not read the expected documents, for example
 * because an alias stands in the way.
 */
function edited(part: ManifestText, file: string, insertions: readonly Insertion[]): string | undefined {
  const text = insertInitContainers(part, insertions);
  if (text === undefined) return undefined;
  try {
    const read = parseTexts(text, file).flatMap(({ documents }) => documents.map(({ value }) => value));
    const asJson: unknown = JSON.parse(JSON.stringify(read));
    return isDeepStrictEqual(asJson, JSON.parse(JSON.stringify(expected(part, insertions)))) ? text : undefined;
  } catch {
    return undefined;
  }
}

function rewritten(part: ManifestText, file: string, insertions: readonly Insertion[], warnings: string[]): string {
  const values = expected(part, insertions);
  if (part.isJson) return values.map((value) => `${JSON.stringify(value, null, 2)}\n`).join('');
  warnings.push(`${file}: written anew, without its comments: aliases stand where containers are injected`);
  return values
    .filter((value) => value !== null)
    .map(formatYaml)
    .join('---\n');
}
