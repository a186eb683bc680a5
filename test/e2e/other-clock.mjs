// Loaded into a process before all else (NODE_OPTIONS=--import): its wall clock is off by what a file says, in
// milliseconds, from one look to the next; and it writes down at its end how much memory it has had.
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
