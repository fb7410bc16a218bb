// npm run screenshots: the pictures of the page in docs/pictures/, of a real server with real queries. Only its clock is not real: an
// hour passes in some seconds.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/loading/load.ts';
import { parseName } from '../../../src/dns/name.ts';
import { CLASS, TYPE } from '../../../src/dns/types.ts';
import { silentLogger } from '../../../src/log.ts';
import { startHealthdns } from '../../../src/main.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { composeQuery } from '../../../src/query/exchange.ts';
import { launchChromium, SIZES } from '../../support/browser.ts';
import { repository } from '../../support/command.ts';
import { answerFrom, startScriptedUpstream } from '../../support/scripted-upstream.ts';

const STEPS = 240;
const STEP_MS = 15_000;

/** A clock whose steps of the charts happen when they are told to; it is an hour behind, and then on time. */
function steppedClock() {
  let behindMs = STEPS * STEP_MS;
  let step = () => {};
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() - behindMs,
    monotonicMs: () => systemClock.monotonicMs() - behindMs,
    setTimeout(callback, delayMs) {
      if (delayMs !== STEP_MS) return systemClock.setTimeout(callback, delayMs);
      step = callback;
      return { cancel: () => {} };
    },
  };
  const next = () => {
    behindMs -= STEP_MS;
    step();
  };
  return { clock, next };
}

const SERVICES = ['cart', 'checkout', 'payments', 'catalog', 'search', 'users', 'mail', 'images', 'reviews', 'stock'];

const configuration = (upstream: number) =>
  [
    `listen: ["127.0.0.1:0"]\nhttp: 127.0.0.1:0\nforward: [{ zone: ".", to: ["127.0.0.1:${upstream}"] }]\n`,
    'zones:\n  - name: shop.example\n    names: ["{service}"]\n    services:\n',
    ...SERVICES.map((name, index) =>
      [
        `      - name: ${name}\n        externalHealth: { sources: [{ name: canary }], maxAgeSeconds: 7200 }\n        instances:\n`,
        ...[1, 2, 3].map((n) => `          - { id: ${name}-${n}, ipv4: 10.1.${index}.${n}, port: 8080 }\n`),
      ].join(''),
    ),
  ].join('');

const EXTERNAL = ['www.example.com', 'api.example.net', 'registry.example.org', 'time.example.net'];

/** What happens in the hour, by step. */
const EVENTS: readonly (readonly [step: number, instance: string, status: 'HEALTHY' | 'UNHEALTHY', reason: string])[] =
  [
    ...SERVICES.flatMap((name) => [1, 2, 3].map((n) => [1, `${name}-${n}`, 'HEALTHY', 'HTTP 200 in 3 ms'] as const)),
    [60, 'search-2', 'UNHEALTHY', 'HTTP 503: index is being rebuilt'],
    [75, 'search-2', 'HEALTHY', 'HTTP 200 in 4 ms'],
    [150, 'payments-1', 'UNHEALTHY', 'connect ECONNREFUSED 10.1.2.1:8080'],
    [160, 'payments-3', 'UNHEALTHY', 'no response within 2 s'],
    [162, 'payments-2', 'UNHEALTHY', 'no response within 2 s'],
    [180, 'payments-2', 'HEALTHY', 'HTTP 200 in 9 ms'],
    [215, 'payments-2', 'UNHEALTHY', 'no response within 2 s'],
    [225, 'images-3', 'UNHEALTHY', 'HTTP 500: disk full'],
  ];

const folder = await mkdtemp(join(tmpdir(), 'healthdns-pictures-'));
const upstream = await startScriptedUpstream(
  answerFrom(EXTERNAL.map((name) => `${name}. 60 IN A 198.51.100.7`).join('\n')),
);
const loaded = await parseConfig(configuration(upstream.port), join(folder, 'zones.yaml'));
if (!loaded.ok) throw new Error(JSON.stringify(loaded));
const { clock, next } = steppedClock();
const running = await startHealthdns(loaded.config, {
  ...{ clock, log: silentLogger, metrics: createMetrics(), random: Math.random },
});
const origin = `http://127.0.0.1:${running.http[0].port}`;
try {
  await liveThroughAnHour();
  const browser = await launchChromium();
  await takePictures(browser);
  await browser.close();
} finally {
  await running.stop();
  await upstream.close();
  await rm(folder, { recursive: true });
}

async function liveThroughAnHour(): Promise<void> {
  const socket = createSocket('udp4');
  socket.connect(running.listening[0].port, '127.0.0.1');
  await once(socket, 'connect');
  let received = 0;
  socket.on('message', () => received++);
  for (let step = 0; step < STEPS; step++) {
    for (const [, instance, status, reason] of EVENTS.filter(([at]) => at === step))
      await report(instance, status, reason);
    // Busier in the middle of the hour, and by chance.
    const queries = Math.round(120 + 80 * Math.sin((Math.PI * step) / STEPS) + 30 * Math.random());
    for (let index = 0; index < queries; index++) socket.send(queryFor(step, index));
    for (const before = systemClock.monotonicMs(); received < queries && systemClock.monotonicMs() - before < 500; )
      await new Promise((resolve) => setTimeout(resolve, 1));
    received = 0;
    // The counters of the cache come ten times a second at most.
    if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1_000));
    next();
  }
  socket.close();
}

function queryFor(step: number, index: number): Uint8Array {
  const external = EXTERNAL[(index * 7) % EXTERNAL.length];
  const own = `${SERVICES[Math.floor(SERVICES.length * Math.random() ** 2)]}.shop.example`;
  const fresh = `host-${step}-${index}.example.com`;
  const name =
    index % 19 === 0 ? fresh : index % 9 === 0 ? external : index % 23 === 0 ? `old-${step % 3}.shop.example` : own;
  const question = { name: parseName(`${name}.`), type: TYPE.A, class: CLASS.IN };
  return composeQuery(question, { edns: true, recursionDesired: true }).bytes;
}

async function report(instance: string, status: string, reason: string): Promise<void> {
  const service = instance.replace(/-\d+$/, '');
  const body = JSON.stringify({ zone: 'shop.example', service, instance, source: 'canary', status, reason });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${origin}/external-health`, { method: 'POST', headers, body });
  if (response.status !== 204) throw new Error(await response.text());
}

async function takePictures(browser: Browser): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await picture(browser, '/', `page-overview-${colorScheme}`, {
      colorScheme,
      viewport: { width: 1280, height: 1000 },
    });
    const explain = { colorScheme, viewport: { width: 1280, height: 1000 } };
    await picture(browser, '/explain/payments.shop.example', `page-explain-${colorScheme}`, explain);
  }
  await picture(browser, '/', 'page-phone', { colorScheme: 'light', viewport: SIZES.phone });
}

async function picture(browser: Browser, path: string, name: string, options: Parameters<Browser['newContext']>[0]) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(origin + path);
  await page.locator('footer .live').waitFor();
  const protocol = await context.newCDPSession(page);
  const { data } = await protocol.send('Page.captureScreenshot', { format: 'webp', quality: 80 });
  await writeFile(join(repository, 'docs/pictures', `${name}.webp`), Buffer.from(data, 'base64'));
  await context.close();
}
