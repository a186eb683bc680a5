import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { once } from '../once.ts';

// zod/mini and no compiled parsers: with few objects to read, zod's classic schemas cost more than a start of Node.
const english = once(() => en().localeError);
z.config({ localeError: (issue) => english()(issue), jitless: true });

/*
 * Fields as Go writes and reads them: null and absent are the same, for lists and maps the same as empty. Every start
 * makes all of these schemas: what can be shared is.
 */

export const text = z.string();
export const string = z.nullish(text);
export const boolean = z.nullish(z.boolean());

const orEmptyList = z.transform((given: unknown) => given ?? []);
export const orEmpty = z.transform((given: unknown) => given ?? {});

export const list = <T extends z.core.SomeType>(element: T) => z.pipe(orEmptyList, z.array(element));

/** A field that many objects don't have: its schema is made when one has it. */
export const rare = <T extends z.ZodMiniType, Absent>(make: () => T, absent: Absent) => {
  const schema = once(make);
  return z.transform((given: unknown, { issues }): z.output<T> | Absent => {
    if (given === null || given === undefined) return absent;
    const { data, error } = schema().safeParse(given);
    if (error === undefined) return data;
    for (const { path, message } of error.issues) issues.push({ code: 'custom', path, message, input: given });
    return z.NEVER;
  });
};

export const strings = list(text);

export const stringRecord = z.record(text, text);
export const stringMap = z.pipe(orEmpty, stringRecord);
