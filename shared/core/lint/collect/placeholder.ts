const CHART =
  /\{\{-?\s*(?:\$?\.?(?:Values|Release|Chart|Capabilities)\b|\.Values|include\b|template\b|tpl\b|toYaml\b|if\b|with\b|range\b|end\b)/;
const WORD =
  /^(?:change[-_ ]?me|replace[-_ ]?(?:me|this)|fill[-_]?(?:me[-_]?)?in|tbd|fixme|x{3,}|your[-_](?:[a-z]+[-_])?(?:name|namespace|backup|restore|app|pod|container|database|db|password|bucket|image|user|cluster|value|here)|insert[-_][\w-]+[-_]here)$/i;
const NOUN =
  /^(?:name|namespace|ns|pod|container|database|db|dbname|user|username|password|pass|host|hostname|port|path|file|image|bucket|backup|restore|version|secret|token|url|release|app|service|[a-z0-9]+(?:[-_ ][a-z0-9]+)+)$/i;

/**
 * What was to be replaced in a value that is a name, an image, a number or a duration: none of them has `<`, `$` or
 * braces of its own.
 */
export function placeholderInName(text: string): string | undefined {
  const [found] =
    /\{\{[^{}]*\}\}|<[^<>]+>|\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Za-z_]\w*|__[A-Z][A-Z0-9_]*__|%[A-Z_]{2,}%|@[A-Z_]{2,}@/.exec(
      text,
    ) ?? [];
  return found ?? (WORD.test(text.trim()) ? text : undefined);
}

/** The same in a command, where `$X` is a shell's and `<` a redirection. */
export function placeholderInCommand(text: string): string | undefined {
  const chart = CHART.exec(text);
  if (chart !== null) return `${chart[0]} …`;
  const [caps] =
    /(?<![A-Z])(?:CHANGE_?ME|REPLACE_?ME|YOUR[_-][A-Z][A-Z_-]*)\b|\b__[A-Z][A-Z0-9_]*__\b/.exec(text) ?? [];
  if (caps !== undefined) return caps;
  if (text.includes('</')) return undefined;
  for (const [whole, before = '', word = ''] of text.matchAll(
    /(^|[\s="'/:@])<([A-Za-z][\w -]*)>(?=$|[\s"'/.:@,;)])/g,
  )) {
    if (NOUN.test(word)) return whole.slice(before.length);
  }
  return undefined;
}

/** Whether a text is a chart's template, or another of Go's, that was not yet rendered. */
export const isChartTemplate = (text: string): boolean => CHART.test(text);
