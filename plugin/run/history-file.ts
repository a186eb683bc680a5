import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { HistoryLine } from '../../shared/core/execute/history.ts';
import { usage } from '../command-line/session.ts';

export interface HistoryFile {
  write(line: HistoryLine): void;
  close(): void;
}

/** Create the file for `--record`. If it can't be written later, that is warned of once, and the run goes on. */
export function createHistoryFile(file: string, cwd: string, warn: (message: string) => void): HistoryFile {
  let fd: number | undefined;
  try {
    fd = openSync(path.resolve(cwd, file), 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw usage(`--record: ${file} is there already`, 'name a file that is not');
    throw usage(`--record: ${file} can't be written: ${message}`);
  }
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    write(line) {
      if (fd === undefined) return;
      try {
        writeSync(fd, `${JSON.stringify(line)}\n`);
      } catch (error) {
        warn(`the history ends here: ${file} can't be written: ${(error as Error).message}`);
        close();
      }
    },
    close,
  };
}
