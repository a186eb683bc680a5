import { spawnSync } from 'node:child_process';
import process from 'node:process';

/** Run a script of this folder in a fresh process of this Node; what it prints is JSON. */
export function measureInChild<T>(script: string, ...options: readonly string[]): T {
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [...options, `${import.meta.dirname}/${script}`],
    {
      encoding: 'utf8',
      env: cleanEnvironment(),
    },
  );
  if (status !== 0) throw new Error(`${script} failed: ${error?.message ?? stderr}`);
  return JSON.parse(stdout);
}

/** Without `NODE_EXTRA_CA_CERTS`, whose certificates Node reads at every start, and options of the caller's. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...rest } = process.env;
  return rest;
}
