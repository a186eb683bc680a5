/** One way to break the product: `from`, which stands there once, becomes `to`. */
export interface Mutant {
  /** What is broken, in words. */
  readonly name: string;
  /** Of the contract. */
  readonly rule: '§2' | '§3' | '§4' | '§5' | '§6';
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const mutantsOf =
  (file: string) =>
  (rule: Mutant['rule'], name: string, from: string, to: string): Mutant => ({ name, rule, file, from, to });
