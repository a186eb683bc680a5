import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { VERSION } from '../shared/core/version.ts';
import { ROOT } from './tools.ts';

interface Resource {
  readonly name?: string;
  readonly uri: string;
  readonly digest?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

/**
 * How the artefacts came about: an in-toto statement with SLSA's provenance (v1, R9.16). It is not signed; docs/releasing.md
 * says how to. It has no time, so that the same sources give the same statement.
 */
export function provenance(
  repository: string,
  subjects: readonly { readonly name: string; readonly sha256: string }[],
  dependencies: readonly Resource[],
): string {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: `${repository}/blob/v${VERSION}/docs/releasing.md`,
        externalParameters: { command: 'npm run release', version: VERSION },
        resolvedDependencies: [source(repository), ...dependencies],
      },
      runDetails: { builder: { id: builder(repository) } },
    },
  };
  return `${JSON.stringify(statement, null, 2)}\n`;
}

/** The commit, if the files are those of a commit. RELEASE_COMMIT names it where git can't. */
function source(repository: string): Resource {
  const git = (...args: string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  };
  const uri = `git+${repository}`;
  const commit = process.env['RELEASE_COMMIT'] ?? (git('status', '--porcelain') === '' ? git('rev-parse', 'HEAD') : '');
  return commit ? { uri, digest: { gitCommit: commit } } : { uri, annotations: { changedSinceCommit: true } };
}

/** The workflow on GitHub; elsewhere, whoever has called npm. */
function builder(repository: string): string {
  const { GITHUB_SERVER_URL: server, GITHUB_WORKFLOW_REF: workflow } = process.env;
  return server && workflow ? `${server}/${workflow}` : `${repository}/blob/v${VERSION}/docs/releasing.md#by-hand`;
}
