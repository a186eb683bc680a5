import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';

// zod/mini and no compiled parsers: with few objects to read, zod's classic schemas cost more than a start of Node.
z.config({ ...en(), jitless: true });

/*
 * Fields as Go writes and reads them: null and absent are the same, for lists and maps the same as empty.
 */

export const string = z.nullish(z.string());
export const boolean = z.nullish(z.boolean());

export const list = <T extends z.core.SomeType>(element: T) =>
  z.pipe(
    z.nullish(z.array(element)),
    z.transform((given) => given ?? []),
  );

export const strings = list(z.string());

export const stringMap = z.pipe(
  z.nullish(z.record(z.string(), z.string())),
  z.transform((given) => given ?? {}),
);
