import type {
  Check,
  EntryExplanation,
  ExplanationDocument,
  HookExplanation,
  PodExplanation,
  SourceExplanation,
  ValueExplanation,
} from '../../shared/core/plan/explanation-document.ts';
import { count, noticeLines } from './plan-view.ts';
import type { View } from './view.ts';
import { wrapped } from './width.ts';

/** What `plan --explain` prints: for each pod its sources in order, and what of them is in the plan. */
export function explainView(document: ExplanationDocument): View {
  return {
    kind: 'document',
    document,
    get human() {
      return [...document.pods.flatMap(podLines), ...noticeLines(document)];
    },
    names: document.pods.flatMap(({ planned }) => planned),
  };
}

function podLines(pod: PodExplanation, index: number): string[] {
  return [
    ...(index === 0 ? [] : ['']),
    `${pod.namespace}/${pod.pod}`,
    ...verdictLines(pod),
    ...sourcesLines('init', pod.init),
    ...sourcesLines('exec', pod.exec),
    ...(pod.notices.length === 0
      ? []
      : ['', '  notices', ...pod.notices.flatMap(({ code, message }) => line(4, `${message} (${code})`))]),
  ];
}

function verdictLines(pod: PodExplanation): string[] {
  const { leftOut, planned } = pod;
  if (leftOut !== undefined) {
    const { message, code, instead = [] } = leftOut;
    return [
      ...line(2, `takes no part: ${message} (${code})`),
      ...(instead.length > 0 ? line(2, `similar pods that take part: ${instead.join(', ')}`) : []),
      ...line(2, 'planned: nothing'),
    ];
  }
  if (planned.length === 0) return line(2, `planned: nothing, ${whyNothing(pod)}`);
  return [`  planned: ${count(planned.length, 'hook')}`, ...planned.map((id) => `    ${id}`)];
}

function whyNothing({ init, exec }: PodExplanation): string {
  const hooks = [...init, ...exec].flatMap(({ entries }) => entries.flatMap((entry) => entry.hooks));
  const has = (wanted: HookExplanation['outcome']): boolean => hooks.some(({ outcome }) => outcome === wanted);
  if (has('not-in-only')) return '--only or --skip leaves its hooks out';
  if (has('runs-in-another-pod')) return 'runOn has chosen other pods';
  if (has('velero-has-run')) return 'Velero may have run its hooks (--rerun includes them)';
  return has('no-container') ? 'the pod has no container' : 'no source has a hook for it';
}

function sourcesLines(kind: 'init' | 'exec', sources: readonly SourceExplanation[]): string[] {
  if (sources.length === 0) return [];
  return ['', `  ${kind} hooks`, ...sources.flatMap((source, index) => sourceLines(kind, source, index + 1))];
}

function sourceLines(kind: 'init' | 'exec', source: SourceExplanation, number: number): string[] {
  const { outcome, message, entries } = source;
  const isPlain = outcome === 'not-given' || (outcome === 'no-hook' && source.source === 'annotation');
  const text = isPlain ? message : `${titleOf(kind, source)}: ${outcome === 'applies' ? 'yes, ' : ''}${message}`;
  return [...line(4, `${number}. ${text}`, 7), ...entries.flatMap((entry) => entryLines(entry, source))];
}

function titleOf(kind: 'init' | 'exec', { source, origin }: SourceExplanation): string {
  if (source === 'spec') return "the Restore's spec.hooks";
  if (source === 'file') return '--hooks files';
  const phase = kind === 'exec' ? 'post' : 'init';
  return `annotations ${phase}.hook.${origin === 'velero' ? 'restore.velero.io' : 'restorehooks.io'}`;
}

function entryLines(
  { name, field, applies, checks, hooks }: EntryExplanation,
  { source }: SourceExplanation,
): string[] {
  if (source === 'annotation') return hooks.flatMap((hook) => hookLines(hook, field));
  const verdict = applies ? 'applies' : 'does not apply';
  const why = checks.length === 0 ? ', it has no filter' : '';
  return [
    ...line(7, `entry ${JSON.stringify(name)}, ${field}: ${verdict}${why}`, 9),
    ...checks.flatMap((check) => line(9, checkText(check), 14)),
    ...(applies ? hooks.flatMap((hook) => hookLines(hook, hook.field)) : []),
  ];
}

function checkText({ field, value, pod, admits }: Check): string {
  const isLabel = /\.labelSelector\./.test(field);
  const text = `${admits ? 'yes' : 'no '}  ${field}: ${value === '' ? '""' : value}`;
  if (admits && (isLabel || pod === value)) return text;
  if (!isLabel) return `${text}; ${pod === 'pods' ? 'hooks need pods' : `the pod is in ${pod}`}`;
  return `${text}; the pod has ${pod === undefined ? 'no such label' : pod}`;
}

const OUTCOMES: Readonly<Record<HookExplanation['outcome'], string>> = {
  planned: 'planned',
  'entry-does-not-apply': 'not planned, its entry does not apply',
  hidden: 'not planned, its source is hidden',
  'velero-has-run': 'not planned, Velero may have run it',
  'runs-in-another-pod': 'not planned, runOn has chosen',
  'not-in-only': 'not planned, --only or --skip leaves it out',
  'pod-left-out': 'not planned, the pod takes no part',
  'no-container': 'not planned, the pod has no container',
};

function hookLines({ outcome, runsIn, planned }: HookExplanation, field: string): string[] {
  return [
    ...line(9, `hook ${field}: ${OUTCOMES[outcome]}${runsIn === undefined ? '' : ` ${runsIn}`}`, 11),
    ...planned.flatMap(({ id, never, values }) => [
      ...line(11, `as ${id}${never === undefined ? '' : `, which can never run: ${never}`}`, 14),
      ...values.flatMap((value) => line(11, valueText(value, field), 26)),
    ]),
  ];
}

/** The field is told relative to its hook's. */
function valueText({ name, value = 'none', from, field }: ValueExplanation, hook: string): string {
  const where = field === undefined ? from : relativeTo(hook, field);
  return `${name.padEnd(14)} ${value} (${where})`;
}

function relativeTo(hook: string, field: string): string {
  if (field.startsWith(`${hook}.`)) return field.slice(hook.length);
  const entry = hook.replace(/\.postHooks\[\d+\]\.\w+$/, '');
  return field.startsWith(`${entry}.`) ? `the entry's ${field.slice(entry.length)}` : field;
}

const WIDTH = 80;

/** Text with an indentation, wrapped between words; what follows the first line is indented by `then`. */
const line = (indent: number, text: string, then = indent + 2): string[] => wrapped(text, WIDTH, indent, then);
