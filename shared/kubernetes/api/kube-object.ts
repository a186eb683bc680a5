/** An object as the API server sent it. Nothing in it is checked: whoever reads a field must parse it. */
export type KubeObject = Readonly<Record<string, unknown>>;
