import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { html } from '../../plugin/report/html.ts';
import type { ReportInput } from '../../plugin/report/report.ts';
import { filledWith, HOSTILE, planFilledWith } from '../unit/plugin/report/hostile.ts';
import { at, bigRun, mixedRun, row, runOf } from '../unit/plugin/report/runs.ts';
import { launch, noBrowser, violationsOf } from './chromium.ts';

const skip = noBrowser;
let browser: Browser;
let folder: string;

before(async () => {
  if (skip) return;
  folder = await mkdtemp(path.join(tmpdir(), 'report-'));
  browser = await launch();
});
after(async () => {
  if (skip) return;
  await browser.close();
  await rm(folder, { recursive: true });
});

interface Opened {
  readonly page: Page;
  /** What the browser said: errors, refused styles, requests for anything but the page. */
  readonly said: string[];
}

async function open(input: ReportInput, options: Parameters<Browser['newPage']>[0] = {}): Promise<Opened> {
  const file = path.join(folder, 'report.html');
  await writeFile(file, html(input));
  const page = await browser.newPage(options);
  const said: string[] = [];
  const url = pathToFileURL(file).href;
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('dialog', (dialog) => void dialog.dismiss().then(() => said.push(`dialog: ${dialog.message()}`)));
  page.on('request', (request) => void (request.url() === url || said.push(`request: ${request.url()}`)));
  await page.goto(url);
  return { page, said };
}

const going = runOf(
  [row('a', { state: 'Running', startedAt: at(2), finishedAt: undefined }), row('b', { state: 'Waiting' })],
  { phase: 'InProgress', finishedAt: undefined },
);

describe('the HTML report in Chromium', { skip }, () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    it(`keeps nobody out, in ${colorScheme} colours, wide and narrow`, async () => {
      for (const [run, width] of [
        [mixedRun(), 1280],
        [mixedRun(), 400],
        [bigRun(40, 2, 9), 1280],
        [going, 1280],
        [runOf([]), 1280],
      ] as const) {
        const { page, said } = await open({ run }, { colorScheme, viewport: { width, height: 900 } });
        assert.deepEqual(await violationsOf(page), []);
        // What is wider scrolls by itself.
        assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width);
        assert.deepEqual(said, []);
        await page.close();
      }
    });
  }

  it('shows what a hostile pod has put in as text: nothing runs, loads or moves', async () => {
    for (const text of HOSTILE) {
      const { page, said } = await open({ run: filledWith(text), plan: planFilledWith(text) });
      assert.deepEqual(said, [], text.slice(0, 40));
      assert.equal(await page.locator('script, img, iframe, object, embed, form, base, link').count(), 0);
      assert.equal(await page.locator('main > section:visible').first().isVisible(), true);
      assert.equal(await page.evaluate("getComputedStyle(document.querySelector('h1')).display"), 'block');
      await page.close();
    }
  });

  it('tells what a bar is on focus and on hover, and leads to its row', async () => {
    const { page } = await open({ run: mixedRun() });
    const bar = page.locator('.lane a').first();
    assert.equal(await bar.locator('.tip').isVisible(), false);
    // Focus as a keyboard gives it.
    await page.locator('nav a').first().focus();
    for (let presses = 0; presses < 60 && !(await bar.locator('.tip').isVisible()); presses += 1) {
      await page.keyboard.press('Tab');
    }
    const what = 'shop/db-0, load-dump (0), Failed (exit 3), ran 29.0s';
    assert.equal(await bar.locator('.tip text').textContent(), what);
    assert.equal(await bar.locator('title').textContent(), what);
    await page.keyboard.press('Enter');
    assert.match(
      (await page.locator('tr:target').textContent()) ?? '',
      /^shop\/db-0postgresload-dump \(0\)Failed \(exit 3\)/,
    );
    await page.close();
  });

  it('prints what is folded as well, and in dark on light paper', async () => {
    const run = bigRun(200, 1, 50);
    const { page } = await open({ run }, { colorScheme: 'dark' });
    const last = page.locator('tr#h198');
    assert.equal(await last.isVisible(), false);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await last.isVisible(), true);
    assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
    await page.close();
  });

  it('opens 10,000 hooks in under 2 s, from less than 8 MB', async () => {
    for (const [pods, each, failsEvery] of [
      [5_000, 2, 40],
      [10_000, 1, 1],
    ] as const) {
      const { page } = await open({ run: bigRun(pods, each, failsEvery) });
      const [loaded, painted] = await page.evaluate<[number, number]>(`[
        performance.getEntriesByType('navigation')[0].loadEventEnd,
        performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
      ]`);
      const { size } = await stat(path.join(folder, 'report.html'));
      assert.ok(loaded < 2_000 && painted < 2_000, `loaded after ${loaded} ms, painted after ${painted} ms`);
      assert.ok(size < 8_000_000, `${size} bytes`);
      await page.close();
    }
  });
});
