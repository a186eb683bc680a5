import { RestoreHooksError } from '../../shared/core/errors.ts';
import { sanitizeLine, sanitizeText } from '../../shared/core/sanitize.ts';
import type { Context } from '../process/context.ts';
import { writeRaw } from './clean.ts';
import { colored, usesColor } from './color.ts';
import { formatJson } from './json.ts';
import { objectName } from './object-name.ts';
import { formatTable } from './table.ts';
import type { HumanPart, OutputFormat, View } from './view.ts';

/** Print the view to stdout in the format that was asked for. */
export async function printView(view: View, format: OutputFormat, context: Context): Promise<void> {
  const { stdout } = context;
  if (view.kind === 'filtered' && !stdout.isTTY) return writeRaw(stdout, view.text);
  const color = usesColor(stdout, context);
  const text = await renderView(view, format, color);
  if (color) writeRaw(stdout, text);
  else stdout.write(text);
}

export async function renderView(view: View, format: OutputFormat, color: boolean): Promise<string> {
  switch (view.kind) {
    case 'text':
    case 'filtered':
      return endLine(sanitizeText(view.text));
    case 'manifests':
      if (format === 'json') return formatJson({ apiVersion: 'v1', kind: 'List', items: view.manifests });
      if (format === 'name') return view.manifests.map((manifest) => `${objectName(manifest)}\n`).join('');
      return (await Promise.all(view.manifests.map(yaml))).join('---\n');
    case 'document':
      return renderDocument(view, format, color);
  }
}

async function renderDocument(
  view: Extract<View, { kind: 'document' }>,
  format: OutputFormat,
  color: boolean,
): Promise<string> {
  switch (format) {
    case 'json':
      return formatJson(view.document);
    case 'yaml':
      return yaml(view.document);
    // R7.28
    case 'name':
      if (view.names === undefined) throw new RestoreHooksError('INVALID_ARGUMENT', '-o name has no meaning here');
      return view.names.map((name) => `${sanitizeLine(name)}\n`).join('');
    case 'table':
    case 'wide':
      return view.human.map((part) => humanText(part, { wide: format === 'wide', color })).join('');
  }
}

function humanText(part: HumanPart, options: { readonly wide: boolean; readonly color: boolean }): string {
  if (typeof part === 'string') return `${sanitizeLine(part)}\n`;
  if ('columns' in part) return part.wide && !options.wide ? '' : formatTable(part, options);
  if (part.narrow && options.wide) return '';
  const text = sanitizeLine(part.line);
  return `${options.color && part.color !== undefined ? colored(text, part.color) : text}\n`;
}

// js-yaml is loaded only for -o yaml: loading it takes longer than the rest of the start.
const yaml = async (document: unknown): Promise<string> => (await import('./yaml.ts')).formatYaml(document);

const endLine = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
