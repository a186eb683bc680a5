import * as z from 'zod';

interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds, in seconds. */
  readonly buckets?: readonly number[];
}

const LONG = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];
const SHORT = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * What a run counts and measures (R8.71). No label names a pod, a hook or a command: their number has no limit, and a
 * command may hold secrets.
 */
export const METRICS = {
  restorehooks_run_info: {
    type: 'gauge',
    help: 'The run that this process carries out; always 1',
    labels: ['restore_namespace', 'restore', 'run', 'runner', 'shard', 'version'],
  },
  restorehooks_run_phase: { type: 'gauge', help: '1 for the phase that the run is in', labels: ['phase'] },
  restorehooks_run_started_timestamp_seconds: { type: 'gauge', help: 'When the run was started' },
  restorehooks_run_deadline_timestamp_seconds: { type: 'gauge', help: 'Until when the run may go on (--deadline)' },
  restorehooks_run_progress_timestamp_seconds: {
    type: 'gauge',
    help: 'When a hook started or ended last; before that, when this runner took the run',
  },
  restorehooks_hooks_planned: { type: 'gauge', help: 'How many hooks the plan has' },
  restorehooks_hooks: {
    type: 'gauge',
    help: 'How many hooks are in a state; one that did not succeed has a reason',
    labels: ['state', 'reason'],
  },
  restorehooks_open_wave: { type: 'gauge', help: 'Which wave is open, or was the last' },
  restorehooks_open_wave_hooks_left: { type: 'gauge', help: 'How many hooks of the open wave have not ended' },
  restorehooks_hook_duration_seconds: {
    type: 'histogram',
    help: 'From the last start of a hook to its end',
    labels: ['state'],
    buckets: LONG,
  },
  restorehooks_hook_wait_seconds: {
    type: 'histogram',
    help: 'From when a hook began to wait, in its open wave, to its first start',
    buckets: LONG,
  },
  restorehooks_container_to_command_seconds: {
    type: 'histogram',
    help: 'From when the runner saw a container run to the start of the first command in it',
    buckets: LONG,
  },
  restorehooks_hook_starts_total: { type: 'counter', help: 'How often commands were started' },
  restorehooks_hook_retries_total: { type: 'counter', help: 'How many starts failed and are followed by another' },
  restorehooks_exec_requests_total: {
    type: 'counter',
    help: 'Exec requests that are over, by what they came to; dropped: a timeout or a cancel ended it',
    labels: ['outcome'],
  },
  restorehooks_api_requests_total: {
    type: 'counter',
    help: 'Requests to the API server but for execs; code is none for those without an answer',
    labels: ['verb', 'resource', 'code'],
  },
  restorehooks_api_request_duration_seconds: {
    type: 'histogram',
    help: 'How long answers took, but for watches',
    labels: ['verb'],
    buckets: SHORT,
  },
  restorehooks_journal_write_duration_seconds: {
    type: 'histogram',
    help: 'How long writes of the journal took, before which no command starts',
    buckets: SHORT,
  },
  restorehooks_watch_restarts_total: { type: 'counter', help: 'How often a watch was begun again' },
  restorehooks_warnings_total: { type: 'counter', help: 'What went wrong beside the hooks and is tried again' },
} as const satisfies Readonly<Record<`restorehooks_${string}`, Definition>>;

export type MetricName = keyof typeof METRICS;
export type Labels = Readonly<Record<string, string>>;
export const definitionOf = (name: MetricName): Definition => METRICS[name];

/** Where figures go. */
export interface Meter {
  count(name: MetricName, labels?: Labels): void;
  set(name: MetricName, value: number, labels?: Labels): void;
  observe(name: MetricName, seconds: number, labels?: Labels): void;
}

export const meters = (...all: readonly Meter[]): Meter => ({
  count: (...told) => all.forEach((each) => void each.count(...told)),
  set: (...told) => all.forEach((each) => void each.set(...told)),
  observe: (...told) => all.forEach((each) => void each.observe(...told)),
});

const Sample = z.strictObject({
  labels: z.record(z.string(), z.string()).optional(),
  value: z.number().optional().describe('Of a counter'),
  count: z.int().optional().describe('Of a histogram: how many there were'),
  sum: z.number().optional().describe('Of a histogram: all of them together, in seconds'),
  buckets: z
    .record(z.string(), z.int())
    .optional()
    .describe('Of a histogram: how many took at most so many seconds, up to the first bound that holds all'),
});
type Sample = z.infer<typeof Sample>;

/** The counters and histograms of a run, by their names. What gauges tell stands elsewhere in the document. */
export const RunMetrics = z.record(z.string(), z.array(Sample));
export type RunMetrics = z.infer<typeof RunMetrics>;

/** The Restore's annotation `restorehooks.io/metrics` (R8.72). */
const MetricsAnnotation = z.strictObject({ version: z.literal(1), runID: z.string(), metrics: RunMetrics });

export const metricsText = (runID: string, metrics: RunMetrics): string =>
  JSON.stringify({ version: 1, runID, metrics } satisfies z.infer<typeof MetricsAnnotation>);

/** The metrics of this run in an annotation; undefined: it is another run's, or can't be read. They decide nothing. */
export function metricsOf(text: string | undefined, runID: string): RunMetrics | undefined {
  let object: unknown;
  try {
    object = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  const { data } = MetricsAnnotation.safeParse(object);
  return data?.runID === runID ? data.metrics : undefined;
}

interface Total {
  readonly labels: Labels;
  count: number;
  /** Of a counter: its value. */
  sum: number;
  /** How many were at most as large as each bound, and larger than the one before. */
  readonly within: number[];
}

/** Adds up the counters and histograms of a run. */
export class Tally implements Meter {
  readonly #totals = new Map<MetricName, Map<string, Total>>();

  /** Also count what earlier runners of the run have counted. */
  add(before: RunMetrics): void {
    for (const [name, samples] of Object.entries(before)) {
      if (Object.hasOwn(METRICS, name)) for (const sample of samples) this.#add(name as MetricName, sample);
    }
  }

  count(name: MetricName, labels: Labels = {}): void {
    this.#total(name, labels).sum += 1;
  }

  /** What gauges tell stands elsewhere in the run's document. */
  set(): void {}

  observe(name: MetricName, seconds: number, labels: Labels = {}): void {
    const total = this.#total(name, labels);
    total.count += 1;
    total.sum += seconds;
    const bound = definitionOf(name).buckets?.findIndex((limit) => seconds <= limit) ?? -1;
    if (bound >= 0) total.within[bound] = (total.within[bound] ?? 0) + 1;
  }

  get metrics(): RunMetrics {
    return Object.fromEntries(
      [...this.#totals].map(([name, totals]) => [name, [...totals.values()].map((total) => sampleOf(name, total))]),
    );
  }

  #total(name: MetricName, labels: Labels): Total {
    const totals = this.#totals.get(name) ?? new Map<string, Total>();
    this.#totals.set(name, totals);
    const key = JSON.stringify(definitionOf(name).labels?.map((label) => labels[label]));
    const total = totals.get(key) ?? { labels, count: 0, sum: 0, within: [] };
    totals.set(key, total);
    return total;
  }

  #add(name: MetricName, { labels = {}, value, count = 0, sum = 0, buckets = {} }: Sample): void {
    const total = this.#total(name, labels);
    total.count += count;
    total.sum += value ?? sum;
    let below = 0;
    for (const [bound, limit] of (definitionOf(name).buckets ?? []).entries()) {
      const upTo = buckets[limit] ?? below;
      total.within[bound] = (total.within[bound] ?? 0) + upTo - below;
      below = upTo;
    }
  }
}

/** The figures of several runners of a run at the same time, as those of one. */
export function sumOf(all: readonly RunMetrics[]): RunMetrics {
  const tally = new Tally();
  for (const each of all) tally.add(each);
  return tally.metrics;
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000;

function sampleOf(name: MetricName, { labels, count, sum, within }: Total): Sample {
  const named = Object.keys(labels).length > 0 && { labels: { ...labels } };
  const { type, buckets = [] } = definitionOf(name);
  if (type !== 'histogram') return { ...named, value: sum };
  const bounds: Record<string, number> = {};
  let below = 0;
  for (const [bound, limit] of buckets.entries()) {
    below += within[bound] ?? 0;
    if (below > 0) bounds[limit] = below;
    if (below === count) break;
  }
  return { ...named, count, sum: milliseconds(sum), buckets: bounds };
}
