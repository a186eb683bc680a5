export type Path = readonly (string | number)[];

/** The place of a value in one of the given objects; `key`: the place of its key, not of the value. */
export interface Place {
  readonly object: number;
  readonly path: Path;
  readonly part?: 'key';
}

export const below = ({ object, path }: Place, ...parts: Path): Place => ({ object, path: [...path, ...parts] });

export const keyOf = ({ object, path }: Place): Place => ({ object, path, part: 'key' });

export const quote = (text: unknown): string => JSON.stringify(text) ?? 'nothing';

/** Such as: a, b and 3 more. */
export function some(all: readonly string[]): string {
  const names = [...new Set(all)];
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
