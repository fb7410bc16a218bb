// The page in a real browser, over a server with 10,000 services.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, SIZES, troubleOf, violationsOf } from '../../support/browser.ts';
import { HOSTILE, type PageServer, startPageServer, TEN_THOUSAND } from '../../support/page-server.ts';
import { requirement } from '../../support/requirement.ts';

const needs = requirement('chromium');
/** Of everything that is waited for: a busy machine may be slow, but not silent. */
const WAIT_MS = 60_000;

let server: PageServer;
let browser: Browser;
let folder: string;

before(async () => {
  if (needs.skip !== false) return;
  folder = await mkdtemp(join(tmpdir(), 'healthdns-page-'));
  [server, browser] = await Promise.all([startPageServer(folder, TEN_THOUSAND), launchChromium()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

interface Opened {
  readonly page: Page;
  readonly trouble: readonly string[];
}

/** Opens a page, waits until it is live, and calls `use`; nothing may go wrong in between. */
async function opened(
  path: string,
  options: Parameters<Browser['newContext']>[0],
  use: (opened: Opened) => Promise<void>,
) {
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    const trouble = troubleOf(page, server.origin);
    await page.goto(server.origin + path);
    if (options?.javaScriptEnabled !== false) await page.locator('footer .live').waitFor();
    await use({ page, trouble });
    assert.deepEqual(trouble, []);
  } finally {
    await context.close();
  }
}

const PATHS = ['/', '/services', '/services?q=s0123', '/explain/hostile.shop.test', '/explain/s00001.prod.test'];

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(
      `axe finds no violation on a ${size}, ${colorScheme}, and nothing is wider than the window`,
      needs,
      async () => {
        await server.report('cart', 'UNHEALTHY', HOSTILE);
        for (const path of PATHS) {
          await opened(path, { viewport, colorScheme }, async ({ page }) => {
            assert.deepEqual(await violationsOf(page), [], path);
            const width = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(width <= viewport.width, `${path} is ${width} wide`);
          });
        }
      },
    );
  }
}

test('a page is whole without scripts, and with everything that it loads has less than 100 kB', needs, async () => {
  for (const path of PATHS) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(server.origin + path, { waitUntil: 'load' });
    const bytes = await page.evaluate(() =>
      [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce(
        (sum, entry) => sum + (entry as PerformanceResourceTiming).decodedBodySize,
        0,
      ),
    );
    await context.close();
    assert.ok(bytes > 5_000 && bytes < 100_000, `${path}: ${bytes}`);
  }
  await opened('/services', { javaScriptEnabled: false }, async ({ page }) => {
    assert.equal(await page.locator('.services > li').count(), 100);
    await page.getByRole('link', { name: 'Next' }).click();
    await page.getByText('101 to 200 of 10,003 services').waitFor();
  });
});

test('an open page shows a change of health without a reload, and announces it to screen readers', needs, async () => {
  await server.report('cart', 'HEALTHY', 'fine');
  await opened('/', {}, async ({ page }) => {
    const problem = page.getByRole('region', { name: 'Services answered in part' }).getByText('the canary died');
    await page
      .getByRole('status')
      .getByText(/problem/)
      .waitFor();
    assert.equal(await problem.count(), 0);
    await server.report('cart', 'UNHEALTHY', 'the canary died');
    await problem.waitFor();
    await server.report('cart', 'HEALTHY', 'fine');
    await problem.waitFor({ state: 'detached' });
    assert.equal(await page.locator('h1').count(), 1, 'the browser renders over what the server rendered');
  });
});

test('the search works by keyboard, while typing, and survives the way to an explanation and back', needs, async () => {
  await opened('/services', {}, async ({ page }) => {
    await page.keyboard.press('/');
    await page.keyboard.type('s0777');
    await page.getByText('1 to 10 of 10 services that match “s0777”').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'q');
    assert.match(page.url(), /\/services\?q=s0777$/);
    await page.getByRole('link', { name: 's07775.prod.test' }).press('Enter');
    await page.getByRole('heading', { level: 1, name: 's07775.prod.test' }).waitFor();
    await page.getByText('2 of 2 instances may be answered').waitFor();
    await page.getByRole('link', { name: 'List of services' }).click();
    await page.getByText('1 to 10 of 10 services that match “s0777”').waitFor();
    assert.equal(await page.locator('#q').inputValue(), 's0777');
  });
});

test('with an admin token, a browser asks for it as a password, and is live with it', needs, async () => {
  const guarded = await startPageServer(folder, ['a'], 'secret');
  const context = await browser.newContext({ httpCredentials: { username: 'anyone', password: 'secret' } });
  try {
    const page = await context.newPage();
    await page.goto(`${guarded.origin}/explain/cart.shop.test`);
    await page.locator('footer .live').waitFor({ timeout: WAIT_MS });
    const headers = { 'content-type': 'application/json' };
    const write = (init: RequestInit) => fetch('/cache/flush', init).then(({ status }) => status);
    assert.equal(await page.evaluate(write, { method: 'POST', headers }), 401);
  } finally {
    await context.close();
    await guarded.stop();
  }
});

test('the first Tab leads to a link that skips to the content', needs, async () => {
  await opened('/', {}, async ({ page }) => {
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
  });
});

test('hostile output of a check is shown as text, cut, with what cannot be seen made visible', needs, async () => {
  for (const path of ['/', '/explain/hostile.shop.test', '/services?q=hostile']) {
    await opened(path, {}, async ({ page }) => {
      const text = page.getByText('"><script>document.title="owned"</script><img src=x onerror=alert(1)>').first();
      await text.waitFor();
      const shown = (await page.locator('body').textContent()) ?? '';
      assert.match(shown, /alert\(1\)>\ufffdgnp\.exe\ufffd/);
      assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069\u0000-\u0008]|x{600}/u);
      assert.doesNotMatch(await page.title(), /owned/);
      assert.equal(await page.locator('main img, main script').count(), 0);
    });
  }
});

test('a hidden page keeps no stream open', needs, async () => {
  await opened('/', {}, async ({ page }) => {
    const streams = async () => Number(/^healthdns_page_streams (\d+)/m.exec(await metrics())?.[1]);
    assert.ok((await streams()) >= 1);
    const before = await streams();
    await page.evaluate(() => {
      Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    for (const deadline = Date.now() + WAIT_MS; (await streams()) >= before; )
      assert.ok(Date.now() < deadline, 'the stream is still open');
  });
});

const metrics = async () => (await fetch(`${server.origin}/metrics`)).text();

test('a printed page shows the details and not the ways to other pages', needs, async () => {
  await opened('/explain/hostile.shop.test', {}, async ({ page }) => {
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('header').isVisible(), false);
    assert.equal(await page.locator('details li').first().isVisible(), true);
    assert.ok((await page.pdf()).length > 1_000);
  });
});
