// Eleventy has no types of its own. These are of the parts that main.ts uses.
declare module '@11ty/eleventy' {
  import type { MarkdownLibrary } from '../site/markdown.ts';

  interface Site {
    setLayoutsDirectory(folder: string): void;
    setTemplateFormats(formats: readonly string[]): void;
    setQuietMode(isQuiet: boolean): void;
    addGlobalData(name: string, value: unknown): void;
    amendLibrary(name: 'md', change: (library: MarkdownLibrary) => void): void;
    addTemplate(file: string, text: string, data: object): void;
  }
  class Eleventy {
    constructor(input: string, output: string, options: { quietMode: boolean; config(site: Site): void });
    write(): Promise<void>;
  }

  export { Eleventy };
}
