import type { Brand } from '../../../shared/core/model/brand.ts';

/** A value whose times and positions are given as plain numbers, as literals are. */
export type Plain<T> = T extends number & Brand<unknown, string>
  ? number
  : T extends string | number | boolean | undefined | null
    ? T
    : T extends ReadonlyMap<infer Key, infer Value>
      ? ReadonlyMap<Plain<Key>, Plain<Value>>
      : { [Name in keyof T]: Plain<T[Name]> };

export const branded = <T>(plain: Plain<T>): T => plain as T;
