import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { CheckId, CheckState } from '../../shared/core/report/check-document.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';

export interface Check {
  readonly id: CheckId;
  readonly state: CheckState;
  readonly message: string;
  readonly whatToDo?: string;
}

export interface Found {
  readonly state: CheckState;
  readonly message: string;
  readonly whatToDo?: string | undefined;
}

export const ok = (message: string): Found => ({ state: 'ok', message });
export const warning = (message: string, whatToDo?: string): Found => ({ state: 'warning', message, whatToDo });
export const problem = (message: string, whatToDo?: string): Found => ({ state: 'problem', message, whatToDo });
export const unchecked = (message: string, whatToDo?: string): Found => ({ state: 'unchecked', message, whatToDo });

/** Look at one thing. An error is what was found, so that one check keeps no other from being made (R7.35). */
export async function check(id: CheckId, look: () => Promise<Found>): Promise<Check> {
  const { state, message, whatToDo } = await look().catch(foundBy);
  return {
    id,
    state,
    message: sanitizeLine(message),
    ...(whatToDo !== undefined && { whatToDo: sanitizeLine(whatToDo) }),
  };
}

/** What the API server refuses to show, or doesn't answer, stays unchecked. Other errors are those that `apply` would end with. */
function foundBy(error: unknown): Found {
  if (!(error instanceof RestoreHooksError)) throw error;
  const { code, message, hint } = error;
  const isRefused = code === 'FORBIDDEN' && kubeApiError(error) !== undefined;
  if (isRefused || code === 'CLUSTER_UNREACHABLE') return unchecked(message);
  return problem(message, hint);
}
