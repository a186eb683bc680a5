import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

/** A part of the bed that this process runs in, as the kernel sees its first process. */
export interface Part {
  /** Seconds of CPU up to now. */
  cpuS(): number;
  /** Forgets the peak of its memory. */
  forgetPeak(): void;
  peakMiB(): number;
}

const TICKS_A_SECOND = 100;

export async function partOf(name: 'apiserver' | 'kwok' | 'velero'): Promise<Part> {
  const bed = dirname(process.env['KUBECONFIG'] ?? '');
  const numberIn = async (part: string) => (await readFile(join(bed, `${part}.pid`), 'utf8')).trim();
  // A part's number is one of the bed's own process namespace.
  const [init, part] = [await numberIn('init'), `/proc/${await numberIn(name)}`];
  const inside = (script: string): string =>
    execFileSync('nsenter', ['--target', init, '--pid', '--mount', '--', 'sh', '-c', script], { encoding: 'utf8' });
  return {
    cpuS() {
      // After the program's name, which may hold anything: the 12th and 13th field are user and system time.
      const fields = inside(`cat ${part}/stat`)
        .replace(/^.*\) /s, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
    },
    forgetPeak: () => void inside(`echo 5 > ${part}/clear_refs`),
    peakMiB: () => Number(/VmHWM:\s+(\d+) kB/.exec(inside(`cat ${part}/status`))?.[1]) / 1024,
  };
}

const QUIET_MS = 3_000;
const QUIET_AT_MOST_S = 0.2;
const WAIT_AT_MOST_MS = 120_000;

/** Waits until kwok has told all that it has to tell of new pods; that takes it half a minute after 10,000 pods run. */
export async function untilQuiet(): Promise<void> {
  const kwok = await partOf('kwok');
  for (let before = kwok.cpuS(), waitedMs = 0; waitedMs < WAIT_AT_MOST_MS; waitedMs += QUIET_MS) {
    await sleep(QUIET_MS);
    const now = kwok.cpuS();
    if (now - before <= QUIET_AT_MOST_S) return;
    before = now;
  }
  process.stderr.write('kwok does not come to rest; what follows is measured beside it\n');
}

/** How often etcd was written to up to now, and what it was sent. */
export async function etcdWrites(): Promise<{ puts: number; MiB: number }> {
  const text = await (await fetch('http://127.0.0.1:2379/metrics')).text();
  const of = (metric: string): number => Number(new RegExp(`^${metric} (\\S+)$`, 'm').exec(text)?.[1]);
  const bytes = of('etcd_network_client_grpc_received_bytes_total');
  return { puts: of('etcd_mvcc_put_total') || of('etcd_debugging_mvcc_put_total'), MiB: bytes / 1024 ** 2 };
}
