interface FlagBase {
  readonly description: string;
  /** One letter: `n` makes `-n`. */
  readonly short?: string;
  /** The value's name in the help: `NAMESPACE`. */
  readonly value?: string;
  readonly hidden?: true;
}

/** One flag, with pflag's kinds of value. `strings` and `list` may be repeated; `list` also splits at commas. */
export type Flag =
  | (FlagBase & { readonly type: 'boolean'; readonly default?: boolean })
  | (FlagBase & {
      readonly type: 'string';
      readonly default?: string;
      readonly choices?: readonly string[];
      /** Values that are allowed, beside the choices if there are any. */
      readonly form?: { is(text: string): boolean; readonly expected: string };
      /**
       * The value of the flag if it is written without one (`--dry-run`). Such a flag takes a value only as
       * `--flag=value`.
       */
      readonly bare?: string;
    })
  | (FlagBase & { readonly type: 'integer'; readonly default?: number; readonly min?: number; readonly max?: number })
  /**
   * A Go duration, in milliseconds. `seconds`: a number without a unit is seconds, as in kubectl's `--request-timeout`.
   * `positive`: 0 is refused.
   */
  | (FlagBase & {
      readonly type: 'duration';
      readonly default?: number;
      readonly seconds?: true;
      /** It is more than 0. */
      readonly positive?: true;
      /** As with strings: the value of the flag if it is written without one. */
      readonly bare?: string;
    })
  | (FlagBase & { readonly type: 'strings' })
  | (FlagBase & { readonly type: 'list'; readonly choices?: readonly string[] });

export type Flags = Readonly<Record<string, Flag>>;

type OrAbsent<F extends Flag, Value> = F extends { readonly default: NonNullable<unknown> } ? Value : Value | undefined;

/** The type of a flag's value after the command line has been read. */
export type FlagValue<F extends Flag> = F extends { readonly type: 'boolean' }
  ? boolean
  : F extends { readonly type: 'strings' | 'list' }
    ? readonly string[]
    : F extends { readonly type: 'integer' | 'duration' }
      ? OrAbsent<F, number>
      : F extends { readonly form: { is(text: string): text is infer Form extends string } }
        ? OrAbsent<F, Form>
        : F extends { readonly choices: readonly (infer Choice extends string)[] }
          ? OrAbsent<F, Choice>
          : OrAbsent<F, string>;
