import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { without } from '../needs.ts';

/** Debian's; playwright-core brings none. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Why no browser can be opened here; false if one can. */
export const noBrowser = without('chromium', existsSync(CHROMIUM));

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM });

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

let axe: string | undefined;
/** What axe-core finds, by rule, with the first place. `serious`: only what keeps somebody out. */
export async function violationsOf(page: Page, which: 'all' | 'serious' = 'all'): Promise<string[]> {
  axe ??= readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(axe);
  const found = await page.evaluate(() => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    return axe.run();
  });
  return found.violations
    .filter(({ impact }) => which === 'all' || /serious|critical/.test(impact))
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}
