import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import { kubeApiError } from './api-error.ts';
import type { KubeObject } from './kube-object.ts';
import type { Query } from './requests.ts';

export interface Page {
  readonly items: readonly KubeObject[];
  /** Where a watch may go on, the same on every page. */
  readonly resourceVersion: string;
  /** The list began anew, because its continuation had expired: forget the pages before. */
  readonly restarted: boolean;
}

const PAGE_SIZE = 500;
/** For lists of pods, of which little is kept: the objects of a page are in memory together, and a pod takes some KiB. */
export const PODS_A_PAGE = 200;

/**
 * Read a list page by page. `ask` sends one request with the given query; `host` is named where the answer is no list.
 */
export async function* listPages(
  ask: (query: Query) => Promise<KubeObject>,
  query: Query,
  host: string,
): AsyncGenerator<Page, void, undefined> {
  const few = Number(query['limit'] ?? PAGE_SIZE);
  let limit: number | undefined = few;
  let next: string | undefined;
  let restarted = false;
  for (;;) {
    let page: z.infer<typeof List>;
    try {
      page = parseList(await ask({ ...query, limit, ...(next && { continue: next }) }), host);
    } catch (error) {
      if (next === undefined || kubeApiError(error)?.status !== 410) throw error;
      // The list has taken longer than the server keeps its history (5 minutes): ask for larger pages, then for it whole.
      next = undefined;
      limit = limit === few ? 10 * few : undefined;
      restarted = true;
      continue;
    }
    next = page.metadata.continue || undefined;
    yield { items: page.items, resourceVersion: page.metadata.resourceVersion, restarted };
    if (next === undefined) return;
    restarted = false;
  }
}

/** All pages together. */
export async function joinPages(pages: AsyncIterable<Page>): Promise<{ items: KubeObject[]; resourceVersion: string }> {
  let items: KubeObject[] = [];
  let resourceVersion = '';
  for await (const page of pages) {
    items = page.restarted ? [...page.items] : items.concat(page.items);
    resourceVersion = page.resourceVersion;
  }
  return { items, resourceVersion };
}

const List = z.object({
  metadata: z.object({
    resourceVersion: z
      .string()
      .nullish()
      .transform((v) => v ?? ''),
    continue: z.string().nullish(),
  }),
  // Not a schema of the items: zod would copy every object.
  items: z.custom<readonly KubeObject[]>((value) => value === null || Array.isArray(value)).transform((v) => v ?? []),
});

function parseList(value: KubeObject, host: string): z.infer<typeof List> {
  const parsed = List.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RestoreHooksError('CLUSTER_UNREACHABLE', `${host} answered with something that is not a list`);
}
