import path from 'node:path';
import { isLookedAt } from '../../shared/core/lint/lint.ts';
import type { Source } from './source.ts';

/** An object or file that no rule has looked at. `instead`: the command that lints what is made of it. */
export interface PassedOver {
  readonly file: string;
  readonly what: string;
  readonly instead?: string;
}

const LINT = 'kubectl restorehooks lint -f -';

export function templatePassedOver(file: string): PassedOver {
  const [, chart = '.'] = /^(.*?)\/?templates\//.exec(file) ?? [];
  const where = /(?:^|\/)templates\//.test(file) ? chart || '.' : 'CHART';
  return { file, what: "a Helm chart's template", instead: `helm template ${where} | ${LINT}` };
}

export function passedOver(sources: readonly Source[]): PassedOver[] {
  const withInner = new Set(sources.flatMap(({ inner }) => (inner === undefined ? [] : [inner.of])));
  return sources.flatMap((source) => {
    const { object, file, inner } = source;
    // kustomize makes more of a Kustomization than what stands in it, so it is also passed over.
    const isLooked = isLookedAt(object) || withInner.has(source);
    if (inner !== undefined || (isLooked && object['kind'] !== 'Kustomization')) return [];
    return [{ file, what: kindOf(object, file), ...insteadOf(object, file) }];
  });
}

export const countLookedAt = (sources: readonly Source[]): number =>
  sources.filter(({ object, inner }) => isLookedAt(object) || inner?.problem !== undefined).length;

function kindOf(object: Source['object'], file: string): string {
  if (Array.isArray(object)) return 'a list';
  const { kind, apiVersion } = object;
  if (typeof kind !== 'string' || kind === '') return `an object without a kind (${file})`;
  const group = typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.split('/')[0] : undefined;
  return /^(?:Restore|RestoreHooks|Backup|Pod)$/.test(kind) ? `${kind} of ${group ?? apiVersion}` : kind;
}

function insteadOf(object: Source['object'], file: string): { instead?: string } {
  const { kind, apiVersion, name, version } = object;
  const folder = file === 'stdin' ? '.' : path.dirname(file);
  if (kind === 'Kustomization' || /(?:^|\/)kustomization\.ya?ml$/.test(file)) {
    return { instead: `kubectl kustomize ${folder} | ${LINT}` };
  }
  const isChart = /(?:^|\/)(?:Chart|values[^/]*)\.ya?ml$/.test(file);
  if (
    isChart ||
    (kind === undefined && typeof apiVersion === 'string' && name !== undefined && version !== undefined)
  ) {
    return { instead: `helm template ${folder} | ${LINT}` };
  }
  if (kind === 'HelmRelease' || kind === 'HelmChart' || kind === 'Application' || kind === 'ApplicationSet') {
    return { instead: `helm template CHART | ${LINT}` };
  }
  if (kind === 'Template') return { instead: `oc process -f ${file} | ${LINT}` };
  return {};
}

/** Tell what was passed over, and how to lint it. */
export function passedOverLines(all: readonly PassedOver[]): string[] {
  if (all.length === 0) return [];
  const kinds = new Map<string, number>();
  for (const { what } of all) kinds.set(what, (kinds.get(what) ?? 0) + 1);
  const named = [...kinds].map(([what, count]) => (count === 1 ? what : `${count} ${what}`));
  const shown = named.slice(0, 6).join(', ') + (named.length > 6 ? ` and ${named.length - 6} more kinds` : '');
  const ways = [...new Set(all.flatMap(({ instead }) => (instead === undefined ? [] : [instead])))];
  return [`passed over: ${shown}`, ...ways.slice(0, 5).map((way) => `    lint what it makes: ${way}`)];
}
