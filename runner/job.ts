import '../shared/system/small-heap.ts';
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
  // Exit here: Node would wait for requests without an answer, and after many cut connections the clean-up of Node 24
  // may never end, nor would the Job. The empty write waits until the log is written.
  .finally(() => process.stdout.write('', () => process.exit()));
