import { readFileSync } from 'node:fs';

/** A bundle holds the text itself, which build.mjs puts in. */
export const detachedScript = readFileSync(new URL('detached.sh', import.meta.url), 'utf8');
