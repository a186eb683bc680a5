import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Attributes, User } from './rbac.ts';
import { authorize, refusalText } from './rbac.ts';
import { ApiError, badRequest, forbidden } from './status.ts';
import type { Store } from './store.ts';

export interface EmbeddedUser {
  readonly name: string;
  readonly groups?: readonly string[];
  /** Default: the name. */
  readonly token?: string;
}

/** Finds a request's user by its bearer token: the cluster's users, and ServiceAccounts that were given a token. */
export function tokenTable(
  extra: readonly EmbeddedUser[],
  authenticate: (token: string) => EmbeddedUser | undefined = () => undefined,
) {
  const byToken = new Map<string, User>();
  const tokens = new Map<string, string>();
  const all: readonly EmbeddedUser[] = [{ name: 'admin', groups: ['system:masters'] }, ...extra];
  for (const { name, groups = [], token = name } of all) {
    byToken.set(token, { name, groups: [...groups, 'system:authenticated'] });
    tokens.set(name, token);
  }
  return {
    tokenOf: (name: string): string => {
      const token = tokens.get(name);
      if (token === undefined) throw new Error(`the embedded cluster knows no user ${name}`);
      return token;
    },
    tokenFor: (namespace: string, account: string): string => {
      const name = `system:serviceaccount:${namespace}:${account}`;
      const token = tokens.get(name) ?? `sa-${randomUUID()}`;
      const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
      tokens.set(name, token);
      byToken.set(token, { name, groups });
      return token;
    },
    userOf: (request: IncomingMessage): User => {
      const { authorization } = request.headers;
      // kubectl sends no token over plain HTTP. API servers once had such a port, where everybody was an administrator.
      if (authorization === undefined && !(request.socket as TLSSocket).encrypted) {
        return { name: 'system:unsecured', groups: ['system:masters', 'system:authenticated'] };
      }
      if (authorization === undefined) return { name: 'system:anonymous', groups: ['system:unauthenticated'] };
      const token = authorization.replace(/^Bearer\s+/i, '');
      const user = byToken.get(token);
      if (user !== undefined) return user;
      const other = authenticate(token);
      if (other === undefined) throw new ApiError(401, 'Unauthorized', 'Unauthorized');
      return { name: other.name, groups: [...(other.groups ?? []), 'system:authenticated'] };
    },
  };
}

export function impersonated(store: Store, user: User, request: IncomingMessage): User {
  const name = request.headers['impersonate-user'];
  const groups = request.rawHeaders.filter(
    (_, at) => request.rawHeaders[at - 1]?.toLowerCase() === 'impersonate-group',
  );
  if (typeof name !== 'string') {
    if (groups.length === 0) return user;
    throw badRequest(
      `requested [${groups.map((group) => `{Group  ${group}    }`).join(' ')}] without impersonating a user`,
    );
  }
  const wanted: [string, string][] = [['users', name], ...groups.map((group): [string, string] => ['groups', group])];
  for (const [resource, value] of wanted) {
    assertAllowed(store, user, { verb: 'impersonate', group: '', resource, name: value });
  }
  return { name, groups: [...groups, 'system:authenticated'] };
}

export function assertAllowed(store: Store, user: User, wanted: Attributes): void {
  const decision = authorize(store, user, wanted);
  if (decision.allowed) return;
  const text = refusalText(user, wanted, decision);
  if (wanted.path !== undefined) throw new ApiError(403, 'Forbidden', `forbidden: ${text}`, {});
  throw forbidden({ group: wanted.group, resource: wanted.resource, kind: '' }, wanted.name, text);
}
