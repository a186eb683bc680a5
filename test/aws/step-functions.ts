import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Loose } from '../e2e/harness.ts';
import type { Answer } from './lambda.ts';

/* The part of Step Functions that the state machine in deploy/lambda needs. Anything else is an error. */

export const definition: Loose = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../deploy/lambda/state-machine.asl.json'), 'utf8'),
);

/** The definition's expressions, translated to JavaScript. */
const EXPRESSIONS: Readonly<Record<string, (scope: Loose) => Loose>> = {
  "{% $merge([$states.context.Execution.Input, {'execution': $states.context.Execution.Id, 'executionStart': $states.context.Execution.StartTime}]) %}":
    ({ execution }) => ({ ...execution.input, execution: execution.id, executionStart: execution.startedAt }),
  '{% $states.result.Payload %}': ({ result }) => result,
  '{% $states.input.done = false %}': ({ input }) => input.done === false,
  '{% $states.input.done = true and $states.input.exitCode = 0 %}': ({ input }) =>
    input.done === true && input.exitCode === 0,
  '{% $string($states.input) %}': ({ input }) => JSON.stringify(input),
};

function evaluate(text: string, scope: Loose): Loose {
  const expression = EXPRESSIONS[text];
  if (expression === undefined) throw new Error(`an expression that the tests don't know: ${text}`);
  return expression(scope);
}

export interface Execution {
  readonly status: 'SUCCEEDED' | 'FAILED';
  readonly output?: Loose;
  readonly error?: string;
  readonly cause?: string;
  /** The names of the states it went through. */
  readonly path: readonly string[];
  /** Seconds that it would have waited. */
  readonly waited: number;
}

export async function execute(input: Loose, id: string, invoke: (event: Loose) => Promise<Answer>): Promise<Execution> {
  const path: string[] = [];
  const execution = { input, id, startedAt: new Date().toISOString() };
  let current: Loose = input;
  let waited = 0;
  for (let at: string = definition.StartAt; ; ) {
    const state = definition.States[at];
    if (state === undefined) throw new Error(`no such state: ${at}`);
    path.push(at);
    switch (state.Type) {
      case 'Task': {
        const event = evaluate(state.Arguments.Payload, { execution });
        let answer = await invoke(event);
        for (let tries = 0; answer.errorType !== undefined; tries += 1) {
          const { errorType: error = '' } = answer;
          const retrier = state.Retry.find(({ ErrorEquals }: Loose) => ErrorEquals.includes(error));
          const more = answer.errorMessage === undefined ? {} : { cause: answer.errorMessage };
          if (retrier === undefined || tries >= retrier.MaxAttempts)
            return { status: 'FAILED', error, ...more, path, waited };
          waited += Math.min(retrier.MaxDelaySeconds, retrier.IntervalSeconds * retrier.BackoffRate ** tries);
          answer = await invoke(event);
        }
        current = evaluate(state.Output, { result: answer.payload });
        at = state.Next;
        break;
      }
      case 'Choice':
        at =
          state.Choices.find(({ Condition }: Loose) => evaluate(Condition, { input: current }))?.Next ?? state.Default;
        break;
      case 'Wait':
        waited += state.Seconds;
        at = state.Next;
        break;
      case 'Succeed':
        return { status: 'SUCCEEDED', output: current, path, waited };
      case 'Fail':
        return { status: 'FAILED', error: state.Error, cause: evaluate(state.Cause, { input: current }), path, waited };
      default:
        throw new Error(`a state that the tests don't know: ${state.Type}`);
    }
  }
}
