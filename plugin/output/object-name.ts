import { sanitizeLine } from '../../shared/core/sanitize.ts';

/** As kubectl names an object that has its apiVersion and kind: `job.batch/NAME`. */
export function objectName(object: object): string {
  const { apiVersion, kind, metadata } = object as { apiVersion: string; kind: string; metadata: { name: string } };
  const [group, version] = apiVersion.split('/');
  return sanitizeLine(`${kind.toLowerCase()}${version === undefined ? '' : `.${group}`}/${metadata.name}`);
}
