/** What a command shows; how it is printed is the renderer's matter. All text is sanitised when it is printed. */
export type View =
  /** One object, and how it looks for people. */
  | {
      readonly kind: 'document';
      readonly document: object;
      /** Without any format: these parts one below the other, a string being one line. */
      readonly human: readonly HumanPart[];
      /** `-o name`: `kind/name` lines. */
      readonly names?: readonly string[];
    }
  /** Manifests, for `kubectl create -f -`: YAML documents, or a `List` in JSON. */
  | { readonly kind: 'manifests'; readonly manifests: readonly object[] }
  /** Text as it is. */
  | { readonly kind: 'text'; readonly text: string }
  /** What a filter passes on, byte for byte; only a terminal gets it sanitised. */
  | { readonly kind: 'filtered'; readonly text: string };

export type HumanPart = string | Table;

export interface Table {
  readonly columns: readonly Column[];
  /** Absent or empty cells are shown as `<none>`. */
  readonly rows: readonly (readonly (string | number | undefined)[])[];
}

export interface Column {
  readonly title: string;
  /** Only with `-o wide`. */
  readonly wide?: true;
  readonly color?: (cell: string) => Color | undefined;
}

export type Color = 'red' | 'yellow' | 'green' | 'dim';

export type OutputFormat = 'table' | 'wide' | 'json' | 'yaml' | 'name';
