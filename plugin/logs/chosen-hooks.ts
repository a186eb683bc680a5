import { closest } from '../../shared/core/closest.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { usage } from '../command-line/session.ts';
import { isFailure } from '../report/report.ts';

export interface Choice {
  /** IDs or names of hooks; none: all. */
  readonly hook: readonly string[];
  /** `NAMESPACE/POD` or `POD`; none: all. */
  readonly pod: readonly string[];
  /** Only hooks that did not succeed. */
  readonly failed: boolean;
}

type Named = Pick<RunHook, 'id' | 'name' | 'namespace' | 'pod' | 'state'>;

const namesOfHook = ({ id, name }: Named): string[] => [id, name];
const namesOfPod = ({ namespace, pod }: Named): string[] => [`${namespace}/${pod}`, pod];

/** The hooks that a command line names with `--hook`, `--pod` and `--failed`: those to which all three apply (R7.34). */
export class ChosenHooks {
  readonly #choice: Choice;
  readonly #hooks: ReadonlySet<string>;
  readonly #pods: ReadonlySet<string>;

  constructor(choice: Choice) {
    this.#choice = choice;
    this.#hooks = new Set(choice.hook);
    this.#pods = new Set(choice.pod);
  }

  has(row: Named): boolean {
    if (this.#choice.failed && !isFailure(row)) return false;
    return this.#isNamed(row);
  }

  #isNamed(row: Named): boolean {
    const isHook = this.#hooks.size === 0 || namesOfHook(row).some((name) => this.#hooks.has(name));
    return isHook && (this.#pods.size === 0 || namesOfPod(row).some((name) => this.#pods.has(name)));
  }

  /** Refuse names of which the run has none, and names that no hook has at once. `list`: the command that shows them. */
  requireKnown(rows: readonly Named[], list: string): void {
    const { hook, pod } = this.#choice;
    refuseUnknown('--hook', 'hook', hook, rows.flatMap(namesOfHook), list);
    refuseUnknown('--pod', 'pod', pod, rows.flatMap(namesOfPod), list);
    if (rows.some((row) => this.#isNamed(row)) || rows.length === 0) return;
    throw usage('no hook of the run is named by both --hook and --pod', `list its hooks: ${list}`);
  }
}

function refuseUnknown(flag: string, kind: string, given: readonly string[], known: string[], list: string): void {
  const names = new Set(known);
  const unknown = given.find((name) => !names.has(name));
  if (unknown === undefined) return;
  const near = closest(unknown, names);
  throw usage(
    `${flag} ${JSON.stringify(unknown)} is no ${kind} of the run`,
    near === undefined ? `list its hooks: ${list}` : `did you mean ${JSON.stringify(near)}?`,
  );
}
