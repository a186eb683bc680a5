const SHELL = /^(?:.*\/)?(?:sh|bash|dash|ash|zsh|ksh|fish|busybox|toybox|pwsh|powershell|cmd(?:\.exe)?)$/;
const OPERATOR = /^(?:\||\|\||&&|&|;|[012&]?>{1,2}|<{1,2}|2>&1|[012]?>{1,2}\/\S+)$/;
const VARIABLE = /^\$(?:[A-Za-z_]\w*|\{[^}]*\}|\([^)]*\))$/;

/** Why this argv does what was meant only with a shell around it; undefined where it needs none, or has one. */
export function needsShell(argv: readonly string[]): string | undefined {
  const [first, ...rest] = argv;
  if (first === undefined || argv.some((part) => SHELL.test(part))) return undefined;
  if (/\s/.test(first.trim())) {
    return rest.length === 0
      ? `all of ${shown(first)} is taken as the name of one program`
      : `${shown(first)} is taken as the name of a program`;
  }
  if (/[|&;<>$`]/.test(first)) return `${shown(first)} is not expanded: there is no shell`;
  const part = rest.find((text) => OPERATOR.test(text) || VARIABLE.test(text));
  return part === undefined ? undefined : `${shown(part)} is passed on as it stands: there is no shell`;
}

/** A command can hold a password: only its beginning is shown. */
function shown(text: string): string {
  const [word = ''] = text.trim().split(/\s/);
  return word === text ? JSON.stringify(word.slice(0, 40)) : `${JSON.stringify(word.slice(0, 40)).slice(0, -1)} …"`;
}

/** `30s` for `30 s`, `30S`, `30sec`; `24h` for `1d`. Undefined where nobody knows what was meant. */
export function meantDuration(text: string): string | undefined {
  const match = /^(\d+)\s*([a-z]+)$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const [, amount = '', unit = ''] = match;
  if (/^(?:d|days?)$/.test(unit)) return `${Number(amount) * 24}h`;
  const goUnit = UNITS.find(([pattern]) => pattern.test(unit))?.[1];
  return goUnit && `${amount}${goUnit}`;
}
const UNITS: readonly (readonly [RegExp, string])[] = [
  [/^(?:s|secs?|seconds?)$/, 's'],
  [/^(?:m|mins?|minutes?)$/, 'm'],
  [/^(?:h|hrs?|hours?)$/, 'h'],
  [/^(?:ms|millis|milliseconds?)$/, 'ms'],
];
