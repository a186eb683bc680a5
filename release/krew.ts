import { dump } from 'js-yaml';
import { VERSION } from '../shared/core/version.ts';

export interface KrewArchive {
  readonly selector: object;
  readonly archive: string;
  readonly sha256: string;
}

/** The manifest for krew's index, restorehooks.yaml (R9.17). */
export function krewManifest(repository: string, archives: readonly KrewArchive[]): string {
  const manifest = {
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'restorehooks' },
    spec: {
      version: `v${VERSION}`,
      homepage: repository,
      shortDescription: 'Run Velero restore hooks with a plan and a report',
      description: DESCRIPTION,
      caveats: CAVEATS,
      platforms: archives.map(({ selector, archive, sha256 }) => ({
        selector,
        uri: `${repository}/releases/download/v${VERSION}/${archive}`,
        sha256,
        bin: 'bin/kubectl-restorehooks',
      })),
    },
  };
  return dump(manifest, { lineWidth: -1 });
}

const DESCRIPTION = `Shows which hooks a Velero restore would run in the restored pods, runs them
from a Job in the cluster, and records the result of each one on the Restore.
It survives crashes, runs again only what did not succeed, and finds mistakes
in hooks before they cost a restore.
`;

const CAVEATS = `On macOS it needs Node.js 22.19 or newer on the PATH. On Linux it needs nothing.
To have TAB complete it, give it its second name:
  ln -sf kubectl-restorehooks ~/.krew/bin/kubectl_complete-restorehooks
`;
