import process from 'node:process';
import { parseArgs } from 'node:util';
import { archiveRows } from './archive.ts';
import type { Bed } from './beds.ts';
import { measureIn, thisBed } from './beds.ts';
import { detachRows } from './detach.ts';
import { durabilityRows } from './durability.ts';
import { goingOnRows } from './going-on.ts';
import { latencyRows } from './latency.ts';
import { coresBusy, machine } from './machine.ts';
import { peopleRows } from './people.ts';
import { planRows } from './plan.ts';
import type { MeasuredRow, Row } from './row.ts';
import { table } from './row.ts';
import { scaleRows } from './scale.ts';
import { simulationRows } from './simulation.ts';
import { startUpRows } from './start-up.ts';
import { testRows } from './tests.ts';

/*
 * npm run bench [-- [-o json] [--pods N] [--full] SUITE…]: our figures beside those of what people use instead, in one
 * table. A suite is chosen by its letter or its name; without any, all but `tests` are measured, which takes half an hour.
 */
const { values, positionals } = parseArgs({
  options: {
    output: { type: 'string', short: 'o', default: 'table' },
    /** Of the archive: all 50,000 pods and 2 GiB, not a quarter of them. */
    full: { type: 'boolean', default: false },
    /** So many pods instead of the usual number, for a look at how it works. */
    pods: { type: 'string' },
  },
  allowPositionals: true,
});
const pods = values.pods === undefined ? undefined : Number(values.pods);
if (pods !== undefined && !(Number.isInteger(pods) && pods > 0)) {
  process.stderr.write(`--pods ${values.pods}: expected a whole number above 0\n`);
  process.exit(2);
}

interface Suite {
  readonly letter: string;
  readonly name: string;
  readonly bed: Bed;
  readonly measure: (pods?: number) => Promise<Row[]> | Row[];
}

const suites: readonly Suite[] = [
  { letter: 'a', name: 'people', bed: 'cluster', measure: peopleRows },
  { letter: 'b', name: 'scale', bed: 'scale', measure: scaleRows },
  { letter: 'c', name: 'plan', bed: 'none', measure: planRows },
  { letter: 'd', name: 'start-up', bed: 'none', measure: startUpRows },
  { letter: 'e', name: 'latency', bed: 'cluster', measure: latencyRows },
  { letter: 'g', name: 'going-on', bed: 'scale', measure: goingOnRows },
  { letter: 'h', name: 'detach', bed: 'cluster', measure: detachRows },
  { letter: 'i', name: 'durability', bed: 'cluster', measure: durabilityRows },
  { letter: 'j', name: 'simulation', bed: 'none', measure: simulationRows },
  { letter: 'k', name: 'archive', bed: 'none', measure: () => archiveRows(values.full) },
  { letter: 't', name: 'tests', bed: 'none', measure: testRows },
];
/** Requests are counted where the runs are: f are rows of these suites. */
const REQUESTS = ['people', 'scale'];

const asked = positionals.flatMap((each) => (['f', 'requests'].includes(each) ? REQUESTS : [each]));
const unknown = asked.filter((each) => !suites.some(({ letter, name }) => letter === each || name === each));
if (unknown.length > 0) {
  process.stderr.write(
    `no such suite: ${unknown.join(', ')}\n${suites.map(({ letter, name }) => `  ${letter} ${name}\n`).join('')}`,
  );
  process.exit(2);
}
const isAsked = ({ letter, name }: Suite): boolean =>
  asked.length === 0 ? name !== 'tests' : asked.includes(letter) || asked.includes(name);
const chosen = suites.filter(isAsked);
const rows: MeasuredRow[] = [];
for (const bed of ['none', 'cluster', 'scale'] as const) {
  const some = chosen.filter((suite) => suite.bed === bed);
  if (some.length === 0) continue;
  if (bed === thisBed()) {
    for (const suite of some) await measured(suite.name, () => measure(suite));
  } else if (thisBed() === 'none' && bed !== 'none') {
    await measured(`the ${bed} bed`, () =>
      measureIn(bed, [...some.map(({ name }) => name), ...(pods === undefined ? [] : ['--pods', `${pods}`])]),
    );
  }
}
rows.sort((one, other) => (one.suite < other.suite ? -1 : one.suite > other.suite ? 1 : 0));
if (thisBed() === 'none') process.stderr.write(`${machine()}\n`);
process.stdout.write(values.output === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
process.exit();

/** What can't be measured leaves the other rows as they are. */
async function measured(what: string, work: () => Promise<MeasuredRow[]>): Promise<void> {
  try {
    rows.push(...(await work()));
  } catch (error) {
    process.stderr.write(`${what} is left out: ${error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
  }
}

async function measure({ letter, name, measure: work }: Suite): Promise<MeasuredRow[]> {
  const busyBefore = await coresBusy();
  process.stderr.write(
    `measuring ${name} … (cores busy before: ${busyBefore.map((percent) => `${percent} %`).join(', ')})\n`,
  );
  return (await work(pods)).map((row) => ({ ...row, suite: letter, busyBefore }));
}
