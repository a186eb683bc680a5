import { createHash, createHmac } from 'node:crypto';

/*
 * Checks a token as EKS's authenticator and STS do. It is written from AWS's documentation of Signature Version 4, and
 * shares no code with our signer, so that it doesn't repeat its mistakes.
 */

export interface Known {
  readonly cluster: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const MAX_AGE_MS = 15 * 60_000;
const HOST = /^sts\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/;

const hash = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
const mac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text, 'utf8').digest();

/** Undefined if the token is correctly signed with the known key for this cluster; else the reason why it isn't. */
export function refusal(token: string, known: Known, now = Date.now()): string | undefined {
  if (!token.startsWith('k8s-aws-v1.')) return 'prefix';
  const url = new URL(Buffer.from(token.slice('k8s-aws-v1.'.length), 'base64url').toString());
  const region = HOST.exec(url.host)?.[1];
  if (url.protocol !== 'https:' || url.pathname !== '/' || region === undefined) return 'host';
  const query = new Map(url.searchParams);
  if (query.get('Action') !== 'GetCallerIdentity' || query.get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256')
    return 'query';
  const date = query.get('X-Amz-Date') ?? '';
  const at = Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  if (!(Math.abs(now - at) < MAX_AGE_MS) || Number(query.get('X-Amz-Expires')) > 900) return 'time';
  if ((query.get('X-Amz-Security-Token') ?? undefined) !== known.sessionToken) return 'session';
  const scope = [date.slice(0, 8), region, 'sts', 'aws4_request'];
  if (query.get('X-Amz-Credential') !== [known.accessKeyId, ...scope].join('/')) return 'credential';
  const signed = query.get('X-Amz-SignedHeaders');
  if (signed !== 'host;x-k8s-aws-id') return 'headers';
  // All parameters but the signature, sorted by name: they are signed in that order, not in the URL's.
  const rest = url.search
    .slice(1)
    .split('&')
    .filter((part) => !part.startsWith('X-Amz-Signature='));
  const canonical = `GET\n/\n${rest.sort().join('&')}\nhost:${url.host}\nx-k8s-aws-id:${known.cluster}\n\n${signed}\n${hash('')}`;
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope.join('/')}\n${hash(canonical)}`;
  let key: string | Buffer = `AWS4${known.secretAccessKey}`;
  for (const part of scope) key = mac(key, part);
  return mac(key, text).toString('hex') === query.get('X-Amz-Signature') ? undefined : 'signature';
}
