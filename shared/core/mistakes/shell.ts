const SHELL = /^(?:.*\/)?(?:sh|bash|dash|ash|zsh|ksh|fish)$/;
const OTHER_SHELL = /^(?:.*\/)?(?:pwsh|powershell|cmd)(?:\.exe)?$/i;
const OPERATOR = /^(?:\||\|\||&&|&|;|\d?<{1,3}|\d?>{1,2}|&>{1,2}|\d?>&\d)$/;
/** Redirections such as `2>/dev/null` and `</dump.sql`, but not `>=1.0` or `<name>`. */
const REDIRECTION = /^\d?(?:>{1,2}|<|&>)(?![=<>&])[\w./~$-][^>]*$/;
const VARIABLE = /^\$(?:[A-Za-z_]\w*|\{[^}]*\}|\([^)]*\))$/;
/** Variables within an argument, in their usual spelling: `--user=$USER`, `/backup/${NAME}.sql`. */
const PART_VARIABLE = /(?:^|[=/:,@])\$(?:\{[A-Z_][A-Z0-9_]*\}|\([A-Z_a-z][^)]*\)|[A-Z_]{2,}[A-Z0-9_]*\b)/;
/** Programs for which `$` has a meaning of its own. */
const OWN_DOLLAR =
  /^(?:awk|gawk|mawk|sed|perl|php|ruby|python\d*|node|jq|yq|mongo|mongosh|envsubst|expect|grep|egrep)$/;
/** Builtins of a shell: a program of this name, if there is one, doesn't do the same. */
const BUILTIN = /^(?:cd|export|source|\.|set|unset|eval|alias|ulimit|umask|exec|if|while|until|for|case)$/;
/** Programs that take names of files and don't expand patterns. */
const TAKES_FILES =
  /^(?:rm|cp|mv|ls|cat|chmod|chown|chgrp|touch|gzip|gunzip|zcat|bunzip2|xz|unxz|zstd|mkdir|rmdir|du|head|tail|wc|ln|stat|file|md5sum|sha256sum|shred|rsync|tar)$/;
const COMPARES = /^(?:expr|test|\[|bc|dc)$/;
/** Options whose argument is code or a pattern for the program itself, so that it needs no shell. */
const TAKES_CODE =
  /^(?:-c|-e|-x|-v|--eval|--execute|--command|--query|--sql|-name|-iname|-path|-regex|--include|--exclude)$/;

export const baseName = (program: string): string => program.replace(/^.*\//, '');

/** How an argv calls a shell, also through `env`, `timeout`, `su-exec` and the like; undefined if it calls none. */
export interface ShellCall {
  /** The shell's name as it was written. */
  readonly shell: string;
  /** The script of `-c`; undefined if a file is named, or nothing. */
  readonly script: string | undefined;
  /** Position of the script, or of the file, in the argv. */
  readonly at: number;
  /** The arguments after it. */
  readonly rest: readonly string[];
}

/** Programs that run another program, which is named after their own options. */
const WRAPPERS =
  /^(?:env|timeout|nice|nohup|setsid|su-exec|gosu|chroot|ionice|stdbuf|sudo|doas|busybox|tini|dumb-init|xargs|time|chpst|setpriv|runuser)$/;

export function shellCall(argv: readonly string[]): ShellCall | undefined {
  const first = argv[0];
  if (first === undefined) return undefined;
  const code = /^(?:su|runuser)$/.test(baseName(first)) ? argv.indexOf('-c') + 1 : 0;
  if (code > 0) return { shell: first, script: argv[code], at: code, rest: [] };
  const wrapped = WRAPPERS.test(baseName(first)) ? argv.findIndex((part) => SHELL.test(part)) : -1;
  const at = SHELL.test(first) ? 0 : wrapped;
  return at < 0 ? undefined : readCall(argv, at);
}

/** A shell reads options up to the first other word. If one of them was `-c`, that word is the script. */
function readCall(argv: readonly string[], start: number): ShellCall {
  const shell = argv[start] ?? '';
  let isCommand = false;
  let at = start + 1;
  for (; at < argv.length; at++) {
    const option = argv[at] ?? '';
    if (option === '--' || option === '-') {
      at += 1;
      break;
    }
    if (/^--(?:rcfile|init-file)$/.test(option)) at += 1;
    else if (/^[-+][A-Za-z]+$/.test(option)) {
      if (option.startsWith('-') && option.includes('c')) isCommand = true;
      // In `-euo pipefail` the second word is the value of `-o`.
      at += (option.match(/[oO]/g) ?? []).length;
    } else if (!/^--[a-z][a-z-]*$/.test(option)) break;
  }
  return { shell, script: isCommand ? argv[at] : undefined, at, rest: argv.slice(at + 1) };
}

const usesShell = (argv: readonly string[]): boolean =>
  shellCall(argv) !== undefined || argv.some((part) => SHELL.test(part) || OTHER_SHELL.test(part));

/** Why this argv needs a shell to do what was meant; undefined if it needs none, or calls one. */
export function needsShell(argv: readonly string[]): string | undefined {
  const [first, ...rest] = argv;
  if (first === undefined) return undefined;
  const call = shellCall(argv);
  if (call !== undefined && call.script === undefined) {
    const part = call.rest.find((text) => OPERATOR.test(text) || REDIRECTION.test(text));
    return part === undefined
      ? undefined
      : `${shown(part)} is passed to the script as an argument: only with -c would the shell run it`;
  }
  if (usesShell(argv)) return undefined;
  if (/^(?:busybox|toybox)$/.test(baseName(first))) return needsShell(rest);
  if (/^[A-Za-z_]\w*=/.test(first))
    return `${shown(`${first.split('=')[0]}=…`)} is taken as the name of a program: only a shell sets variables`;
  if (/\s/.test(first.trim())) {
    return rest.length === 0
      ? `all of ${shown(first)} is taken as the name of one program`
      : `${shown(first)} is taken as the name of a program`;
  }
  if (/[|&;<>$`]/.test(first)) return `${shown(first)} is not expanded: there is no shell`;
  if (BUILTIN.test(first)) return `${shown(first)} is a command of the shell, not a program`;
  const program = baseName(first);
  const part = rest.find((text, index) => isForShell(text, program, rest, index));
  return part === undefined ? undefined : `${shown(part)} is passed on as it is written, because there is no shell`;
}

function isForShell(text: string, program: string, rest: readonly string[], index: number): boolean {
  const before = rest[index - 1] ?? '';
  if (VARIABLE.test(text)) return program !== 'envsubst';
  if (/^(?:curl|wget)$/.test(program) && /\$(?:\{[A-Z_][A-Z0-9_]*\}|[A-Z_]{2,}[A-Z0-9_]*\b)/.test(text)) return true;
  if (/\s/.test(text) || TAKES_CODE.test(before)) return false;
  if (OPERATOR.test(text) || REDIRECTION.test(text)) {
    const ofFind =
      program === 'find' && text === ';' && rest.slice(0, index).some((part) => /^-(?:exec|ok)/.test(part));
    return !ofFind && !COMPARES.test(program);
  }
  if (text === '\\;' && program === 'find') return true;
  if (/^[\w./-]+;$/.test(text) && index < rest.length - 1) return true;
  if (!OWN_DOLLAR.test(program) && (PART_VARIABLE.test(text) || /^`.+`$/.test(text))) return true;
  if (text.startsWith('~/')) return true;
  const takesFiles = [program, ...(WRAPPERS.test(program) ? rest.slice(0, index).map(baseName) : [])];
  return (
    takesFiles.some((name) => TAKES_FILES.test(name)) &&
    !text.startsWith('-') &&
    isFilePattern(text) &&
    // tar has patterns of its own, and rsync's remote side uses a shell.
    !(program === 'tar' && !text.startsWith('/')) &&
    !(program === 'rsync' && text.includes(':'))
  );
}

const isFilePattern = (text: string): boolean =>
  text.includes('/') ? /[*?]|\[[^\]]+\]|\{[^{}]*,[^{}]*\}/.test(text) : /^[\w.-]*\*[\w.-]*$/.test(text);

/** A command may contain a password, so only its first word is shown. */
export function shown(text: string): string {
  const [word = ''] = text.trim().split(/\s/);
  return word === text ? JSON.stringify(word.slice(0, 40)) : `${JSON.stringify(word.slice(0, 40)).slice(0, -1)} …"`;
}

/**
 * The Go duration that was probably meant: `30s` for `30 s`, `30S`, `30sec`; `24h` for `1d`. Undefined if that is
 * unclear.
 */
export function meantDuration(text: string): string | undefined {
  const match = /^(\d+)\s*([a-z]+)$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const [, amount = '', unit = ''] = match;
  if (/^(?:d|days?)$/.test(unit)) return `${Number(amount) * 24}h`;
  if (/^(?:w|weeks?)$/.test(unit)) return `${Number(amount) * 168}h`;
  const goUnit = UNITS.find(([pattern]) => pattern.test(unit))?.[1];
  return goUnit && `${amount}${goUnit}`;
}
const UNITS: readonly (readonly [RegExp, string])[] = [
  [/^(?:s|secs?|seconds?)$/, 's'],
  [/^(?:m|mins?|minutes?)$/, 'm'],
  [/^(?:h|hrs?|hours?)$/, 'h'],
  [/^(?:ms|millis|milliseconds?)$/, 'ms'],
];
