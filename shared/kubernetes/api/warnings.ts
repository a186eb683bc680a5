/**
 * The texts of `Warning` headers (RFC 7234: `299 - "text"`), with which the API server tells of deprecations and
 * PodSecurity.
 */
export function warningsOf(header: string | readonly string[] | undefined): string[] {
  if (header === undefined) return [];
  // Node reads the bytes of a header as Latin-1, but the API server writes UTF-8.
  const text = Buffer.from(String(header), 'latin1').toString('utf8');
  return [...text.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) => quoted.replace(/\\(.)/g, '$1'));
}
