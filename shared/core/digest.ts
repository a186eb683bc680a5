import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

export const sha256Hex = (text: string): string => sha256HexOf([text]);

/** Of texts one behind the other. */
export function sha256HexOf(texts: Iterable<string>): string {
  const hash = sha256.create();
  for (const text of texts) hash.update(utf8ToBytes(text));
  return bytesToHex(hash.digest());
}

/**
 * Canonical JSON (RFC 8785): sorted keys and no white space; members that are undefined are left out. Half a surrogate
 * pair, which the RFC refuses, is escaped as JSON.stringify escapes it: anybody's manifest may contain one.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const member = (value as Readonly<Record<string, unknown>>)[key];
    if (member !== undefined) members += `${members && ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

/**
 * Shorten a name to a label value of at most `limit` characters, as Velero does (R1.13): over the limit it becomes its first
 * `limit - 6` characters and the first 6 hex digits of its SHA-256.
 */
export function shortenName(name: string, limit = 63): string {
  return name.length <= limit ? name : name.slice(0, limit - 6) + sha256Hex(name).slice(0, 6);
}
