import process from 'node:process';
import { ExitCode, RestoreHooksError } from '../shared/core/errors.ts';
import { jsonLogger } from '../shared/system/log.ts';
import { askedToEnd } from './asked-to-end.ts';
import { main } from './main.ts';

const log = jsonLogger(process.stdout, 'info');
main(process.argv.slice(2), process.env, log, askedToEnd)
  .then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      if (error instanceof RestoreHooksError) {
        log.error('the run could not go on', { code: error.code, reason: error.message, hint: error.hint });
        process.exitCode = error.exitCode;
      } else {
        log.error('this is a bug', { reason: error instanceof Error ? error.stack : String(error) });
        process.exitCode = ExitCode.Bug;
      }
    },
  )
  // Not left to Node: a request without its answer would keep the process, and after many cut connections Node 24's own
  // clean-up may never end, and the Job with it. The log is written by then.
  .finally(() => process.stdout.write('', () => process.exit()));
