import { execFile } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const script = process.env['RESTOREHOOKS_TESTBED'] ?? fileURLToPath(new URL('testbed', import.meta.url));

/** The bed that this process runs in (`testbed in`). */
export const testbed = (...args: string[]) => promisify(execFile)(script, args);
