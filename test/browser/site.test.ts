import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { launch, noBrowser, violationsOf } from './chromium.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};
/** The site lies somewhere below a server's root. */
const BASE = '/some/where/';

let folder: string;
let server: Server;
let browser: Browser;
let site: string;

describe('the site of the documents', { skip: noBrowser }, () => {
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'site-'));
    await promisify(execFile)(process.execPath, ['site/main.ts', '--out', folder]);
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://site');
      const file = path.join(folder, pathname.replace(BASE, ''));
      if (!pathname.startsWith(BASE) || !existsSync(file)) {
        response.writeHead(404).end();
        return;
      }
      response.setHeader('content-type', TYPES[path.extname(file)] ?? 'application/octet-stream');
      response.end(readFileSync(file));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    site = `http://127.0.0.1:${(server.address() as AddressInfo).port}${BASE}`;
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A page, and what the browser complains of or asks others for. */
  async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<{ page: Page; said: string[] }> {
    const page = await browser.newPage(options);
    const said: string[] = [];
    page.on('console', (message) => void said.push(message.text()));
    page.on('pageerror', (error) => void said.push(String(error)));
    page.on('request', (request) => void (request.url().startsWith(site) || said.push(`request: ${request.url()}`)));
    page.on('response', (response) => void (response.ok() || said.push(`${response.status()}: ${response.url()}`)));
    return { page, said };
  }

  const pages = (): string[] => globSync('**/*.html', { cwd: folder }).sort();

  it('has each document as a page without errors, which asks nobody else for anything', async () => {
    assert.ok(pages().length > 35, pages().join());
    const { page, said } = await open();
    for (const file of pages()) {
      await page.goto(site + file, { waitUntil: 'load' });
      assert.equal(await page.locator('main h1').count(), 1, file);
      assert.deepEqual(said, [], file);
    }
    await page.close();
  });

  it('has no link that leads nowhere', async () => {
    const { page } = await open();
    const anchors = new Map<string, Set<string>>();
    const links: { from: string; to: string }[] = [];
    for (const file of pages()) {
      await page.goto(site + file);
      const found = await page.evaluate<{ ids: string[]; hrefs: string[] }>(`({
        ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
        hrefs: [...document.querySelectorAll('a')].map(({ href }) => href),
      })`);
      anchors.set(file, new Set(found.ids));
      links.push(...found.hrefs.filter((href) => href.startsWith(site)).map((to) => ({ from: file, to })));
    }
    assert.ok(links.length > 1000, `${links.length}`);
    const broken = links.filter(({ to }) => {
      const [file = '', anchor] = to.slice(site.length).split('#');
      if (!existsSync(path.join(folder, file)) || file === '') return true;
      return anchor !== undefined && !anchors.get(file)?.has(decodeURIComponent(anchor));
    });
    assert.deepEqual(broken, []);
    await page.close();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`keeps nobody out, in ${colorScheme} colours, wide and narrow`, async () => {
      for (const width of [1280, 390]) {
        const { page } = await open({ colorScheme, viewport: { width, height: 900 } });
        for (const file of [
          'index.html',
          'docs/index.html',
          'docs/hooks.html',
          'docs/errors.html',
          'docs/gitops.html',
        ]) {
          await page.goto(site + file, { waitUntil: 'load' });
          assert.deepEqual(await violationsOf(page, 'serious'), [], `${file}, ${width} wide`);
          // What is wider scrolls by itself.
          assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, file);
        }
        await page.close();
      }
    });
  }

  it('is searched without a service', async () => {
    const { page, said } = await open();
    await page.goto(`${site}docs/adr/index.html`);
    await page.locator('#search input').fill('stream_idle_timeout');
    await page.locator('.pagefind-ui__result-link').first().click();
    await page.waitForURL(`${site}docs/faults.html**`);
    assert.match((await page.locator('main').textContent()) ?? '', /stream_idle_timeout/);
    assert.deepEqual(said, []);
    await page.close();
  });
});
