import { VERSION } from './version.ts';

/** The first Kubernetes that keeps a Job's `podReplacementPolicy` without being asked to. */
const OLDEST_MINOR = 29;

/** How the runner's version is known before it runs: the image's tag. */
export function versionOfImage(image: string): string | undefined {
  const [name = ''] = image.split('@');
  return /:v?(\d+\.\d+\.\d+[^:/]*)$/.exec(name)?.[1];
}

/** How a version stands to another one that it isn't the same as. */
export function olderOrNewer(version: string, than: string): 'older' | 'newer' | 'other' {
  const [one, other] = [version, than].map((text) => text.split(/[-+]/, 1)[0]?.split('.').map(Number) ?? []);
  const at = one?.findIndex((number, index) => number !== other?.[index]) ?? -1;
  if (at < 0) return 'other';
  return (one?.[at] ?? 0) < (other?.[at] ?? 0) ? 'older' : 'newer';
}

/** How an image's version, as far as its tag tells it, stands to this plugin; undefined if nothing is wrong (R9.20). */
export function runnerSkew(image: string): string | undefined {
  const version = versionOfImage(image);
  if (version === undefined || version === VERSION) return undefined;
  const how = olderOrNewer(version, VERSION);
  const stands = how === 'other' ? 'another one than' : `${how} than`;
  return `by its tag the runner's image ${image} is version ${version}, ${stands} this plugin's ${VERSION}: a runner of another version starts nothing`;
}

/** What is known to go otherwise on this version of Kubernetes; undefined if nothing is (R9.20). */
export function serverSkew(gitVersion: string): string | undefined {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  if (Number(major) !== 1 || Number(minor) >= OLDEST_MINOR) return undefined;
  return `before 1.${OLDEST_MINOR} a Job starts its next pod while the last one ends; that pod then waits for the Lease`;
}
