import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import type { TestCluster } from './cluster.ts';

/** One request in the API server's audit log. */
export interface AuditedRequest {
  readonly verb: string;
  /** With its subresource: `pods/exec`. */
  readonly resource: string;
  readonly user: string;
  /** The program, as it names itself. */
  readonly agent: string;
}

/**
 * Starts to read the API server's audit log (a real one's is beside its kubeconfig). The returned function gives the
 * requests that some users, or all, have made since. Undefined if there is no audit log.
 */
export function auditOf({ embedded }: TestCluster): ((users?: readonly string[]) => AuditedRequest[]) | undefined {
  if (embedded !== undefined) {
    const from = embedded.audit.length;
    return (users) =>
      embedded.audit
        .slice(from)
        .filter(({ user }) => users?.includes(user) ?? true)
        .map(({ verb, resource, subresource, user }) => ({
          verb,
          resource: named(resource, subresource),
          user,
          agent: '',
        }));
  }
  const file = join(dirname(process.env['KUBECONFIG'] ?? ''), 'audit.log');
  if (!existsSync(file)) return undefined;
  const from = statSync(file).size;
  return (users) => {
    const seen = new Map<string, AuditedRequest>();
    for (const line of readFileSync(file).subarray(from).toString('utf8').split('\n')) {
      if (line === '') continue;
      const { auditID, verb, user, userAgent: agent = '', objectRef = {} } = JSON.parse(line);
      if (users?.includes(user.username) === false) continue;
      const { resource = '', subresource } = objectRef;
      seen.set(auditID, { verb, resource: named(resource, subresource), user: user.username, agent });
    }
    return [...seen.values()];
  };
}

const named = (resource: string, subresource: string | undefined): string =>
  subresource === undefined ? resource : `${resource}/${subresource}`;

/** How many requests there are of each kind, most first: `create pods/exec 400`. */
export function tally(requests: readonly AuditedRequest[]): string[] {
  const counts = new Map<string, number>();
  for (const { verb, resource } of requests) {
    const kind = `${verb} ${resource}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].sort(([, one], [, other]) => other - one).map(([kind, count]) => `${kind} ${count}`);
}
