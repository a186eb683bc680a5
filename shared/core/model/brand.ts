declare const brand: unique symbol;

/** A value that the compiler tells from other values of the same type: a time is not taken for a position. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
