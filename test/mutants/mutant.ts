/** One way to break the product: `from`, which stands there once, becomes `to`. */
export interface Mutant {
  /** What is broken, in words. */
  readonly name: string;
  /** The rule of docs/contract.md that it breaks; test/contract.test.ts checks that there is one. */
  readonly rule: `R${number}.${number}` | `R${number}.${number}.${number}`;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const mutantsOf =
  (file: string) =>
  (rule: Mutant['rule'], name: string, from: string, to: string): Mutant => ({ name, rule, file, from, to });
