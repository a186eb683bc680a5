import type { FindingsDocument } from '../../shared/core/lint/findings-document.ts';
import { RULES } from '../../shared/core/lint/lint.ts';
import type { Rule, Severity } from '../../shared/core/lint/rules/rule.ts';
import { formatPath } from '../../shared/core/model/problem.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { VERSION } from '../../shared/core/version.ts';
import { formatJson } from '../output/json.ts';
import type { PassedOver } from './passed-over.ts';
import type { Located } from './source.ts';

export const pageOf = (id: string): string => `docs/lint.md#${id}`;

const placeOf = ({ source, line, column, place }: Located): string =>
  line === undefined ? `${source.file}: ${formatPath(place.path)}` : `${source.file}:${line}:${column}`;

/** The findings as text in the format that `-o` asks for. */
export function formatFindings(
  findings: readonly Located[],
  passed: readonly PassedOver[],
  format: 'json' | 'sarif' | 'github' | undefined,
): string {
  if (format === 'json') return json(findings, passed);
  if (format === 'sarif') return sarif(findings, passed, RULES);
  return format === 'github' ? github(findings) : human(findings);
}

function human(findings: readonly Located[]): string {
  return findings
    .map((finding) => {
      const { rule, message } = finding;
      return `${sanitizeLine(`${placeOf(finding)}: ${rule.severity}: ${message} (${rule.id})`)}\n    ${rule.fix}\n`;
    })
    .join('');
}

function json(findings: readonly Located[], passedOver: readonly PassedOver[]): string {
  const count = (severity: Severity) => findings.filter(({ rule }) => rule.severity === severity).length;
  const document: FindingsDocument = {
    apiVersion: 'restorehooks.io/v1',
    kind: 'RestoreHookFindings',
    counts: { error: count('error'), warning: count('warning'), info: count('info') },
    findings: findings.map(({ rule, source, line, column, place, message, splice }) => ({
      id: rule.id,
      severity: rule.severity,
      file: source.file,
      ...(line === undefined || column === undefined ? {} : { line, column }),
      path: formatPath(place.path),
      message,
      reason: rule.reason,
      fix: rule.fix,
      fixable: splice !== undefined,
      page: pageOf(rule.id),
    })),
    ...(passedOver.length > 0 ? { passedOver: [...passedOver] } : {}),
  };
  return formatJson(document);
}

const LEVEL = { error: 'error', warning: 'warning', info: 'note' } as const;

/** SARIF 2.1.0, as code scanning services read it. */
function sarif(findings: readonly Located[], passedOver: readonly PassedOver[], rules: readonly Rule[]): string {
  const ids = rules.map(({ id }) => id);
  return formatJson({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        columnKind: 'utf16CodeUnits',
        ...(passedOver.length > 0
          ? {
              invocations: [
                {
                  executionSuccessful: true,
                  toolExecutionNotifications: passedOver.map(({ file, what, instead }) => ({
                    level: 'note',
                    message: {
                      text: `${file}: passed over: ${what}${instead ? `; lint what it makes: ${instead}` : ''}`,
                    },
                  })),
                },
              ],
            }
          : {}),
        tool: {
          driver: {
            name: 'kubectl-restorehooks',
            semanticVersion: VERSION,
            rules: rules.map(({ id, severity, reason, fix }) => ({
              id,
              shortDescription: { text: reason },
              help: { text: `${fix} See ${pageOf(id)}.` },
              defaultConfiguration: { level: LEVEL[severity] },
            })),
          },
        },
        results: findings.map(({ rule, source, line, column, place, message }) => ({
          ruleId: rule.id,
          ruleIndex: ids.indexOf(rule.id),
          level: LEVEL[rule.severity],
          message: { text: `${message}. ${rule.fix}` },
          locations: [
            line === undefined
              ? { logicalLocations: [{ fullyQualifiedName: `${source.file}: ${formatPath(place.path)}` }] }
              : {
                  physicalLocation: {
                    artifactLocation: { uri: encodeURI(source.file.replaceAll('\\', '/')) },
                    region: { startLine: line, startColumn: column },
                  },
                },
          ],
        })),
      },
    ],
  });
}

const COMMAND = { error: 'error', warning: 'warning', info: 'notice' } as const;

/** Workflow commands of GitHub Actions, which are shown beside the changed lines. */
function github(findings: readonly Located[]): string {
  return findings
    .map(({ rule, source, line, column, message }) => {
      const properties = {
        ...(line === undefined ? {} : { file: source.file, line, col: column }),
        title: rule.id,
      };
      const listed = Object.entries(properties).map(([key, value]) => `${key}=${property(String(value))}`);
      return `::${COMMAND[rule.severity]} ${listed.join(',')}::${data(`${message}. ${rule.fix}`)}\n`;
    })
    .join('');
}

const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
