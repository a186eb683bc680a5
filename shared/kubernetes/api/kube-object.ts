/** An object as the API server gave it: nothing of it is checked, parse what is read of it. */
export type KubeObject = Readonly<Record<string, unknown>>;
