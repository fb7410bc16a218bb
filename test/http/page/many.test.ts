// A thousand browsers at once: the page stays within its limits, and DNS does not notice.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../src/clock.ts';
import { parseName } from '../../../src/dns/name.ts';
import { CLASS, TYPE } from '../../../src/dns/types.ts';
import { MAX_STREAMS } from '../../../src/http/page/streams.ts';
import { composeQuery, overUdp } from '../../../src/query/exchange.ts';
import { startPageServer } from '../../support/page-server.ts';

const BROWSERS = 1_000;
/** Below limits.httpConnections, with the streams that stay open. */
const AT_ONCE = 100;

test('of a thousand browsers some are live and the others are told to reload, while every DNS query is answered', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-page-'));
  const names = Array.from({ length: 500 }, (_, index) => `s${index}`);
  const server = await startPageServer(folder, names);
  const over = new AbortController();
  try {
    const dns = { address: '127.0.0.1', port: server.dnsPort, family: 4 as const };
    const question = { name: parseName('cart.shop.test.'), type: TYPE.A, class: CLASS.IN };
    let queries = 0;
    const asking = (async () => {
      for (; !over.signal.aborted; queries++) {
        const query = composeQuery(question, { edns: false, recursionDesired: false });
        const reply = await overUdp(query, dns, { timeoutMs: 30_000, tries: 1 }, systemClock);
        assert.ok(reply !== 'truncated' && reply.message.answers.length === 2);
      }
    })();
    const statuses = { page: new Map<number, number>(), events: new Map<number, number>() };
    const note = (counts: Map<number, number>, { status }: Response) =>
      counts.set(status, (counts.get(status) ?? 0) + 1);
    // Kept, because a response that is collected is closed.
    const open: Response[] = [];
    // Each asks for another search, so that none is answered from what was made for others.
    const browse = async (index: number): Promise<void> => {
      const headers = { accept: 'text/html' };
      const page = await fetch(`${server.origin}/services?q=s${index % 500}`, { headers });
      await page.arrayBuffer();
      note(statuses.page, page);
      // Never read, never closed.
      const events = await fetch(`${server.origin}/page/events`, { signal: over.signal });
      note(statuses.events, events);
      if (events.status === 200) open.push(events);
      else await events.arrayBuffer();
    };
    for (let first = 0; first < BROWSERS; first += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => browse(first + index)));
    assert.deepEqual(
      [statuses.events.get(200), statuses.events.get(503)],
      [MAX_STREAMS, BROWSERS - MAX_STREAMS],
      JSON.stringify([...statuses.events]),
    );
    const answered = statuses.page.get(200) ?? 0;
    assert.equal(answered + (statuses.page.get(503) ?? 0), BROWSERS);
    assert.ok(answered > 0);
    assert.equal(open.length, MAX_STREAMS);
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    assert.match(metrics, new RegExp(`^healthdns_page_streams ${MAX_STREAMS}$`, 'm'));
    over.abort();
    await asking;
    assert.ok(queries > 0);
  } finally {
    over.abort();
    await server.stop();
    await rm(folder, { recursive: true });
  }
});
