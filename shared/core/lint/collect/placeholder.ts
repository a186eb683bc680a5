const CHART =
  /\{\{-?\s*(?:\$?\.?(?:Values|Release|Chart|Capabilities)\b|\.Values|include\b|template\b|tpl\b|toYaml\b|if\b|with\b|range\b|end\b)/;
const WORD =
  /^(?:change[-_ ]?me|replace[-_ ]?(?:me|this)|fill[-_]?(?:me[-_]?)?in|tbd|fixme|x{3,}|your[-_](?:[a-z]+[-_])?(?:name|namespace|backup|restore|app|pod|container|database|db|password|bucket|image|user|cluster|value|here)|insert[-_][\w-]+[-_]here)$/i;
const NOUN =
  /^(?:name|namespace|ns|pod|container|database|db|dbname|user|username|password|pass|host|hostname|port|path|file|image|bucket|backup|restore|version|secret|token|url|release|app|service|[a-z0-9]+(?:[-_ ][a-z0-9]+)+)$/i;

/**
 * The placeholder in a value that is a name, an image, a number or a duration. None of these may contain `<`, `$` or
 * braces, so each of them marks a placeholder.
 */
export function placeholderInName(text: string): string | undefined {
  const [found] =
    /\{\{[^{}]*\}\}|<[^<>]+>|\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Za-z_]\w*|__[A-Z][A-Z0-9_]*__|%[A-Z_]{2,}%|@[A-Z_]{2,}@/.exec(
      text,
    ) ?? [];
  return found ?? (WORD.test(text.trim()) ? text : undefined);
}

/** The placeholder in a command, where `$X` may be a shell variable and `<` a redirection. */
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

/** Whether a text is a Go template, such as a chart's, that has not been rendered. */
export const isChartTemplate = (text: string): boolean => CHART.test(text);
