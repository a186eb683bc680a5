import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Parsed } from '../../shared/core/model/problem.ts';
import { problemLine, problemsOf } from '../../shared/core/model/problem.ts';
import { parsePlanDocument } from '../../shared/core/plan/parse-plan-document.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import { RunDocument } from '../../shared/core/report/run-document.ts';
import type { FileContext } from '../../shared/input/files.ts';
import { readTexts } from '../../shared/input/files.ts';
import { parseManifests } from '../../shared/input/manifests.ts';

/** The saved documents that `-f` names. */
export interface SavedDocuments {
  readonly run: RunDocument | undefined;
  readonly plan: PlanDocument | undefined;
}

/** A report holds 16 MiB of output, which JSON can make several times as long. */
const MAX_BYTES = 128 * 1024 * 1024;

export async function savedDocuments(filenames: readonly string[], context: FileContext): Promise<SavedDocuments> {
  let run: RunDocument | undefined;
  let plan: PlanDocument | undefined;
  for (const { text, file } of await readTexts(filenames, context, false, MAX_BYTES)) {
    for (const object of objectsIn(text, file)) {
      if (object['kind'] === 'RestoreHookRun') {
        if (run !== undefined) throw invalid(`${file}: a second run`, 'make a report of each');
        run = valid(parseRun(object), file, 'kubectl restorehooks status RESTORE -o json');
      } else if (object['kind'] === 'RestoreHookPlan') {
        if (plan !== undefined) throw invalid(`${file}: a second plan`, 'give the one of the run');
        plan = valid(parsePlanDocument(object), file, 'kubectl restorehooks plan RESTORE -o json');
      } else {
        const kind = typeof object['kind'] === 'string' ? JSON.stringify(object['kind']) : 'no kind';
        throw invalid(
          `${file}: expected a RestoreHookRun or a RestoreHookPlan, and found ${kind}`,
          'save a run with: kubectl restorehooks status RESTORE -o json > run.json',
        );
      }
    }
  }
  return { run, plan };
}

/** JSON is read as such where it can be: a long document takes many times as long as YAML. */
function objectsIn(text: string, file: string): Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return [{ ...value }];
  } catch {
    // It may be YAML, or several documents; what is neither is told below, with the line.
  }
  return parseManifests(text, file).map(({ object }) => object);
}

export function parseRun(object: unknown): Parsed<RunDocument> {
  const parsed = RunDocument.safeParse(object);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problems: problemsOf(parsed.error) };
}

function valid<T>(parsed: Parsed<T>, file: string, how: string): T {
  if (parsed.ok) return parsed.value;
  throw invalid(`${file}: ${parsed.problems.slice(0, 5).map(problemLine).join('; ')}`, `save it anew: ${how}`);
}

const invalid = (message: string, hint: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', message, { hint });
