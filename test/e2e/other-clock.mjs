// Loaded into a process before all other code (NODE_OPTIONS=--import). Changes the wall clock by the number of
// milliseconds in a file, which is read again each time. At its end the process writes how much memory it has used.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

const { CLOCK_FILE, MEMORY_FILE } = process.env;
const RealDate = Date;

function off() {
  try {
    return Number(readFileSync(CLOCK_FILE, 'utf8'));
  } catch {
    return 0;
  }
}

if (CLOCK_FILE !== undefined) {
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + off());
      else super(...args);
    }

    static now() {
      return RealDate.now() + off();
    }
  };
}
if (MEMORY_FILE !== undefined) {
  process.on('exit', () => writeFileSync(MEMORY_FILE, String(process.resourceUsage().maxRSS * 1024)));
}
