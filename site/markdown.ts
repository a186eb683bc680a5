import { existsSync, statSync } from 'node:fs';
import path from 'node:path';

/** Links, anchors and titles of the documents, as GitHub has them. */

interface Token {
  readonly type: string;
  readonly content: string;
  readonly children: readonly Token[] | null;
  attrSet(name: string, value: string): void;
  attrGet(name: string): string | null;
}

/** What is used here of markdown-it, which is Eleventy's parser and has no types of its own. */
export interface MarkdownLibrary {
  readonly core: {
    readonly ruler: { push(name: string, rule: (state: { tokens: readonly Token[]; env: unknown }) => void): void };
  };
  readonly renderer: { readonly rules: Record<string, (tokens: readonly Token[], at: number) => string> };
  readonly utils: { escapeHtml(text: string): string };
}

const FENCED = /^```[^\n]*\n[\s\S]*?^```$/gm;
export const withoutBlocks = (text: string): string => text.replace(FENCED, '');

export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

/** An anchor that is not taken yet. */
export function nextAnchor(heading: string, taken: ReadonlySet<string>): string {
  const base = anchorOf(heading);
  let anchor = base;
  for (let repeat = 1; taken.has(anchor); repeat += 1) anchor = `${base}-${repeat}`;
  return anchor;
}

export const titleOf = (text: string): string => (/^# (.*)$/m.exec(text)?.[1] ?? '').replaceAll('`', '');

/** Where a link leads in the repository; undefined if it leads out of it, or stays on its page. */
export function targetOf(page: string, link: string): string | undefined {
  if (/^[a-z]+:|^#/.test(link)) return undefined;
  return path.posix.join(path.posix.dirname(page), link.split('#')[0] ?? '').replace(/\/$/, '');
}

/** What a document leads to in the repository. */
export const linksIn = (page: string, text: string): string[] =>
  [
    ...withoutBlocks(text)
      .replace(/`[^`\n]*`/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ]
    .map(([, link = '']) => targetOf(page, link))
    .filter((target) => target !== undefined)
    .filter((target) => existsSync(target));

/** The file of a page in the site. */
export const pageFor = (file: string): string => file.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html');

interface Group {
  readonly title: string;
  readonly pages: readonly { readonly title: string; readonly url: string }[];
}

/** The groups of an index: a heading, and a list of links. */
export function navigationOf(page: string, text: string): Group[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => ({
      title: part.split('\n')[0] ?? '',
      pages: [...part.matchAll(/^- \[([^\]]+)\]\(([^)]+)\)/gm)].map(([, title = '', link = '']) => ({
        title,
        url: urlOf(targetOf(page, link) ?? ''),
      })),
    }));
}

const urlOf = (target: string): string => pageFor(statSync(target).isDirectory() ? `${target}/README.md` : target);

/** Anchors of headings, links between pages, and what is wide made to scroll by itself. */
export function forTheSite(library: MarkdownLibrary, pages: readonly string[]): void {
  library.core.ruler.push('site', ({ tokens, env }) => {
    const file = (env as { file: string }).file;
    const taken = new Set<string>();
    for (const [at, token] of tokens.entries()) {
      if (token.type === 'heading_open') {
        const anchor = nextAnchor(plainText(tokens[at + 1]?.children ?? []), taken);
        taken.add(anchor);
        token.attrSet('id', anchor);
      }
      for (const child of token.children ?? []) {
        if (child.type === 'link_open') child.attrSet('href', hrefFor(file, child.attrGet('href') ?? '', pages));
      }
    }
  });
  const { rules } = library.renderer;
  // A keyboard can scroll only what has the focus.
  rules['table_open'] = () => '<div class="wide" tabindex="0"><table>';
  rules['table_close'] = () => '</table></div>';
  rules['fence'] = (tokens, at) =>
    `<pre tabindex="0"><code>${library.utils.escapeHtml(tokens[at]?.content ?? '')}</code></pre>`;
}

const plainText = (tokens: readonly Token[]): string =>
  tokens
    .filter(({ type }) => type === 'text' || type === 'code_inline')
    .map(({ content }) => content)
    .join('');

function hrefFor(file: string, link: string, pages: readonly string[]): string {
  const target = targetOf(file, link);
  if (target === undefined) return link;
  const [where = '', anchor] = link.split('#');
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  const url = isFolder ? `${where.replace(/\/$/, '')}/index.html` : pages.includes(target) ? pageFor(where) : where;
  return anchor === undefined ? url : `${url}#${anchor}`;
}
