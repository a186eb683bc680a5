/** What a command shows. `render.ts` prints it in the format that was asked for, and removes control characters. */
export type View =
  /** An object, and what people see of it. */
  | {
      readonly kind: 'document';
      readonly document: object;
      /** Printed without `-o`: these parts below each other. A string is a line. */
      readonly human: readonly HumanPart[];
      /** Printed with `-o name`, a line each: IDs of hooks. */
      readonly names?: readonly string[];
    }
  /** Manifests, for `kubectl create -f -`: YAML documents, or a `List` in JSON. */
  | { readonly kind: 'manifests'; readonly manifests: readonly object[] }
  /** Text that is printed as it is. */
  | { readonly kind: 'text'; readonly text: string }
  /** The output of a filter, printed byte for byte. Control characters are removed only on a terminal. */
  | { readonly kind: 'filtered'; readonly text: string };

export type HumanPart = string | Line | Table;

/** A line in one colour. */
export interface Line {
  readonly line: string;
  readonly color?: Color | undefined;
  /** Not shown with `-o wide`. */
  readonly narrow?: true;
}

export interface Table {
  /** Print the rows alone. */
  readonly noHeader?: true;
  /** The whole table is shown only with `-o wide`. */
  readonly wide?: true;
  readonly columns: readonly Column[];
  /** Absent or empty cells are shown as `<none>`. */
  readonly rows: readonly (readonly (string | number | undefined)[])[];
}

export interface Column {
  readonly title: string;
  /** Shown only with `-o wide`. */
  readonly wide?: true;
  /** At least so many cells. */
  readonly width?: number;
  readonly color?: (cell: string) => Color | undefined;
}

export type Color = 'red' | 'yellow' | 'green' | 'dim';

const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
/** The formats of a document. A command with formats of its own returns text. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export const isOutputFormat = (format: unknown): format is OutputFormat =>
  OUTPUT_FORMATS.some((each) => each === format);
