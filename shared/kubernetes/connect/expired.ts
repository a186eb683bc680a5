import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import type { KubeConnection } from './connection.ts';

const Claims = z.object({ exp: z.number() });

/** Which credential of a connection has expired, and when: the API server's 401 doesn't say. Nothing of it is quoted. */
export function expiredCredential({ headers, tls }: Pick<KubeConnection, 'headers' | 'tls'>): string | undefined {
  const tokenEnd = endOfToken(String(headers['authorization'] ?? ''));
  if (tokenEnd !== undefined && tokenEnd < Date.now()) return `the token expired at ${timeText(tokenEnd)}`;
  const certificateEnd = tls.cert === undefined ? undefined : endOfCertificate(tls.cert);
  if (certificateEnd === undefined || certificateEnd >= Date.now()) return undefined;
  return `the client certificate expired at ${timeText(certificateEnd)}`;
}

const timeText = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

function endOfToken(authorization: string): number | undefined {
  const [, payload] = /^Bearer [^.]+\.([^.]+)\.[^.]+$/.exec(authorization) ?? [];
  if (payload === undefined) return undefined;
  try {
    const claims = Claims.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))).data;
    const end = (claims?.exp ?? Number.NaN) * 1000;
    return Math.abs(end) < 8.64e15 ? end : undefined;
  } catch {
    return undefined;
  }
}

function endOfCertificate(cert: string | Buffer): number | undefined {
  try {
    return Date.parse(new X509Certificate(cert).validTo) || undefined;
  } catch {
    return undefined;
  }
}
