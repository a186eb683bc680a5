import { StringDecoder } from 'node:string_decoder';

/**
 * Cuts a UTF-8 stream into its lines. Call the returned function with each chunk; what follows the last newline is
 * kept.
 */
export function lineReader(onLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  // Joined only when the line is complete, because a large object comes in many chunks.
  let parts: string[] = [];
  return (chunk) => {
    const text = decoder.write(chunk);
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      parts.push(text.slice(from, at));
      from = at + 1;
      const line = parts.join('');
      parts = [];
      onLine(line);
    }
    if (from < text.length) parts.push(text.slice(from));
  };
}
