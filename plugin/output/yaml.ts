import type { ScalarStyleRule } from 'js-yaml';
import { DEFAULT_SCALAR_STYLE_RULES, dump, SCALAR_STYLE } from 'js-yaml';
import { escapeUnsafe } from '../../shared/core/sanitize.ts';

/** Only a double-quoted scalar can hold the escapes that `escapeUnsafe` makes. */
const quoteUnsafe: ScalarStyleRule = (layout) => {
  if (escapeUnsafe(layout.node.value) !== layout.node.value) layout.style = SCALAR_STYLE.DOUBLE_QUOTED;
};
const rules = [...Object.values(DEFAULT_SCALAR_STYLE_RULES), quoteUnsafe];

/**
 * YAML as kubectl prints it: no aliases, no folded lines, keys in the order that they have. A string that YAML 1.1 or
 * 1.2 would read as something else is quoted.
 */
export function formatYaml(document: unknown): string {
  // Through JSON first, so that `undefined` and `toJSON` mean the same in both formats.
  const plain: unknown = JSON.parse(JSON.stringify(document));
  return escapeUnsafe(dump(plain, { noRefs: true, lineWidth: -1, seqNoIndent: true, scalarStyleRules: rules }));
}
