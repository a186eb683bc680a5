import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';

/**
 * Sends a signal to the runners that have this argument (a Restore's name, a run's ID), or to the one of them in this pod,
 * and returns how many there were. The processes of a container are visible from outside.
 */
export function signalRunners(argument: string, signal: NodeJS.Signals, pod?: string): number {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && isRunner(entry, argument, pod));
  for (const pid of pids) {
    try {
      process.kill(Number(pid), signal);
    } catch {
      // The process has just ended.
    }
  }
  return pids.length;
}

function isRunner(pid: string, argument: string, pod: string | undefined): boolean {
  const words = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0');
  try {
    const args = words('cmdline');
    if (!args.includes(argument)) return false;
    if (pod === undefined) return args.some((arg) => arg.startsWith('--run-id='));
    // The pod of an Indexed Job has another host name; a Job by hand has no POD_NAME.
    const environ = words('environ');
    return environ.includes(`POD_NAME=${pod}`) || environ.includes(`HOSTNAME=${pod}`);
  } catch {
    return false;
  }
}
