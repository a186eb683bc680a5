import { closest } from '../../closest.ts';
import { meantDuration } from '../../mistakes/shell.ts';
import { parseDurationMs } from '../../model/duration.ts';
import { parseAttempts, parseBool, parseDelay, parseWhole } from '../../plan/annotations.ts';
import { quote } from '../collect/place.ts';
import { placeholderInName } from '../collect/placeholder.ts';
import type { ExecField, Field, LintedExec } from '../collect/subjects.ts';
import type { Report, Rule } from './rule.ts';

const TIMEOUTS = ['execTimeout', 'waitTimeout'] as const;
const isDuration = (value: unknown): boolean => typeof value === 'string' && parseDurationMs(value) !== undefined;
const isGiven = (field: Field | undefined): field is Field =>
  field !== undefined && field.value !== null && field.value !== undefined && field.value !== '';

function checkDuration(field: Field | undefined, what: string, report: Report): void {
  if (!isGiven(field) || isDuration(field.value) || isPlaceholder(field.value)) return;
  const meant = typeof field.value === 'string' ? meantDuration(field.value) : undefined;
  const hint = meant === undefined ? '' : `; did you mean ${quote(meant)}?`;
  const message = `${what} ${quote(field.value)} is no duration${hint}`;
  report(field.place, message, meant === undefined ? undefined : { place: field.place, text: meant });
}

const isPlaceholder = (value: unknown): boolean => typeof value === 'string' && placeholderInName(value) !== undefined;

/** Go writes an unset duration as 0s, and reads 0s as unset. */
const isUnset = ({ source }: LintedExec, field: Field | undefined): boolean =>
  !isGiven(field) || (source === 'entry' && field.value === '0s');

const msOf = (field: Field | undefined): number | undefined =>
  typeof field?.value === 'string' ? parseDurationMs(field.value) : undefined;

const OWN_VALUES: readonly {
  readonly field: ExecField;
  readonly parse: (text: string) => unknown;
  readonly expected: string;
}[] = [
  { field: 'wave', parse: parseWhole, expected: 'no wave: expected a whole number' },
  { field: 'retryAttempts', parse: parseAttempts, expected: 'no number of attempts from 1 to 100' },
  { field: 'retryDelay', parse: parseDelay, expected: 'no duration above 0' },
  { field: 'detach', parse: parseBool, expected: 'neither true nor false' },
];

export const valueRules: readonly Rule[] = [
  {
    id: 'annotation-duration-invalid',
    severity: 'warning',
    on: 'exec',
    reason: 'An annotation whose duration can not be read is passed over, and the default is used instead.',
    fix: 'Write it as Go does: 45s, 1m30s, 24h.',
    check({ source, title, fields }, report) {
      if (source !== 'annotation') return;
      for (const key of TIMEOUTS) checkDuration(fields[key], `${title}: ${key}`, report);
    },
  },
  {
    id: 'duration-invalid',
    severity: 'error',
    on: 'exec',
    reason:
      'A duration that can not be read makes the whole object invalid; in a Restore it stops Velero for all of them.',
    fix: 'Write it as Go does: 45s, 1m30s, 24h.',
    check({ source, title, fields }, report) {
      if (source !== 'entry') return;
      for (const key of TIMEOUTS) checkDuration(fields[key], `${title}: ${key}`, report);
    },
  },
  {
    id: 'annotation-value-invalid',
    severity: 'warning',
    on: 'exec',
    reason: 'A wave, a number of attempts, a delay or a boolean that can not be read is passed over for its default.',
    fix: 'Write a whole number, attempts from 1 to 100, a delay above 0 such as 5s, and "true" or "false".',
    check({ source, title, fields }, report) {
      if (source !== 'annotation') return;
      for (const { field, parse, expected } of OWN_VALUES) {
        const given = fields[field];
        if (!isGiven(given) || typeof given.value !== 'string' || isPlaceholder(given.value)) continue;
        if (parse(given.value) === undefined) report(given.place, `${title}: ${quote(given.value)} is ${expected}`);
      }
    },
  },
  {
    id: 'retry-without-effect',
    severity: 'warning',
    on: 'exec',
    reason: 'A delay is waited for before a second attempt, and without a number of attempts there is only one.',
    fix: 'Set attempts to 2 or more, or take the delay away.',
    check({ source, title, fields }, report) {
      const written = fields.retry?.value as { attempts?: unknown; delay?: unknown; maxDelay?: unknown } | undefined;
      const delay = source === 'annotation' ? fields.retryDelay : fields.retry;
      const attempts = source === 'annotation' ? fields.retryAttempts?.value : written?.attempts;
      const isOnce = attempts === undefined || attempts === null || Number(attempts) === 1;
      if (!isGiven(delay) || !isOnce) return;
      if (source === 'entry' && !written?.delay && !written?.maxDelay) return;
      report(delay.place, `${title} has a delay between attempts, and is started once`);
    },
  },
  {
    id: 'init-timeout-invalid',
    severity: 'error',
    on: 'init',
    reason: 'A duration that can not be read makes the whole object invalid.',
    fix: 'Write it as Go does: 45s, 1m30s, 24h.',
    check({ title, fields, earlier }, report) {
      if (earlier.length === 0) checkDuration(fields.timeout, `${title}: timeout`, report);
    },
  },
  {
    id: 'on-error-unknown',
    severity: 'error',
    on: 'exec',
    reason: 'Anything but exactly Fail or Continue is Continue in an annotation, and refused in a Restore.',
    fix: 'Write Fail or Continue.',
    check({ source, origin, title, fields: { onError } }, report) {
      const isRefused = source === 'entry' && origin === 'velero' && onError?.value === '';
      if (onError === undefined || (!isGiven(onError) && !isRefused)) return;
      if (isPlaceholder(onError.value) || onError.value === 'Fail' || onError.value === 'Continue') return;
      const meant = closest(String(onError.value).trim().toLowerCase(), ['fail', 'continue']);
      const text = meant === undefined ? undefined : meant === 'fail' ? 'Fail' : 'Continue';
      const hint = text === undefined ? '' : `; did you mean ${text}?`;
      const message = `${title}: on error ${quote(onError.value)} is neither Fail nor Continue${hint}`;
      report(onError.place, message, text === undefined ? undefined : { place: onError.place, text });
    },
  },
  {
    id: 'wait-for-ready-invalid',
    severity: 'warning',
    on: 'exec',
    reason: 'An annotation that is no boolean of Go is passed over: the hook does not wait for readiness.',
    fix: 'Write "true" or "false".',
    check({ source, title, fields: { waitForReady } }, report) {
      if (source !== 'annotation' || !isGiven(waitForReady) || typeof waitForReady.value !== 'string') return;
      const { value, place } = waitForReady;
      if (/^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)) return;
      const lower = value.trim().toLowerCase();
      const text = /^(?:true|yes|y|on)$/.test(lower)
        ? 'true'
        : /^(?:false|no|n|off)$/.test(lower)
          ? 'false'
          : undefined;
      report(
        place,
        `${title}: wait-for-ready ${quote(value)} is neither true nor false`,
        text ? { place, text } : undefined,
      );
    },
  },
  {
    id: 'exec-timeout-not-positive',
    severity: 'warning',
    on: 'exec',
    reason: 'An exec timeout of 0 is the default (30s), and a negative one is no limit at all.',
    fix: 'Write how long the command may take.',
    check(hook, report) {
      const {
        title,
        fields: { execTimeout },
      } = hook;
      const ms = msOf(execTimeout);
      if (execTimeout === undefined || ms === undefined || ms > 0 || isUnset(hook, execTimeout)) return;
      report(
        execTimeout.place,
        `${title}: exec timeout ${quote(execTimeout.value)} means ${ms === 0 ? '30s' : 'no limit'}`,
      );
    },
  },
  {
    id: 'wait-timeout-not-positive',
    severity: 'warning',
    on: 'exec',
    reason: 'A wait timeout of 0 or less is none: the hook waits for ever.',
    fix: 'Write how long to wait for the container.',
    check(hook, report) {
      const {
        title,
        fields: { waitTimeout },
      } = hook;
      const ms = msOf(waitTimeout);
      if (waitTimeout === undefined || ms === undefined || ms > 0 || isUnset(hook, waitTimeout)) return;
      report(waitTimeout.place, `${title}: wait timeout ${quote(waitTimeout.value)} means no limit`);
    },
  },
  {
    id: 'no-wait-timeout',
    severity: 'warning',
    on: 'exec',
    reason: 'Without a wait timeout a hook waits for ever for a container that never comes up.',
    fix: 'Set the wait timeout (waitTimeout, or the annotation wait-timeout).',
    check(hook, report) {
      if (!isUnset(hook, hook.fields.waitTimeout) || saysFail(hook)) return;
      report(hook.place, `${hook.title} has no wait timeout`);
    },
  },
  {
    id: 'fail-without-wait-timeout',
    severity: 'warning',
    on: 'exec',
    reason: 'A Fail hook that waits for ever neither fails nor lets the run end.',
    fix: 'Set the wait timeout (waitTimeout, or the annotation wait-timeout).',
    check(hook, report) {
      if (!isUnset(hook, hook.fields.waitTimeout) || !saysFail(hook)) return;
      const ready = ['true', true].includes(hook.fields.waitForReady?.value as string | boolean);
      report(
        hook.place,
        `${hook.title} must succeed, and has no wait timeout${ready ? ' for readiness that may never come' : ''}`,
      );
    },
  },
];

const saysFail = ({ fields: { onError } }: LintedExec): boolean => onError?.value === 'Fail';
