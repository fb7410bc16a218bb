import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpResponse } from '../../../src/http/endpoint.ts';
import { createStreams, MAX_STREAMS } from '../../../src/http/page/streams.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** Streams of two events, whose data a test changes. */
function hub() {
  const clock = fakeClock();
  const metrics = createMetrics();
  const data = { live: '"a"', load: '"b"' };
  const events = (['live', 'load'] as const).map((type) => ({ type, data: () => data[type] }));
  const streams = createStreams({ events, clock, metrics });
  const counted = (event: string) =>
    Number(
      new RegExp(`^healthdns_page_streams_total\\{event="${event}"\\} (.*)$`, 'm').exec(metrics.render())?.[1] ?? 0,
    );
  return { clock, data, streams, counted, metrics };
}

/** A browser that reads, or not. */
function browser({ stream }: HttpResponse) {
  let close = () => {};
  const state = { received: '', unread: 0, isOpen: true, how: '' };
  const end = (how: string) => {
    state.how = how;
    state.isOpen = false;
    close();
  };
  stream?.({
    send(text) {
      state.received += text;
    },
    unreadBytes: () => state.unread,
    end: () => end('ended'),
    abort: () => end('aborted'),
    onClose(listener) {
      close = listener;
    },
  });
  return { state, leave: () => end('left') };
}

test('a page gets everything at first, then only what has changed', async () => {
  const { clock, data, streams } = hub();
  const { state } = browser(streams.open());
  assert.equal(state.received, 'retry: 3000\n\nevent: live\ndata: "a"\n\nevent: load\ndata: "b"\n\n');
  state.received = '';
  await clock.advance(4_000);
  assert.equal(state.received, '');
  data.live = '"c"';
  await clock.advance(2_000);
  assert.equal(state.received, 'event: live\ndata: "c"\n\n');
});

test('a stream without changes is kept open by comments', async () => {
  const { clock, streams } = hub();
  const { state } = browser(streams.open());
  state.received = '';
  await clock.advance(40_000);
  assert.equal(state.received, ':\n\n:\n\n');
});

test('a slow page misses some states; one that reads nothing is disconnected and counted', async () => {
  const { clock, data, streams, counted } = hub();
  const { state } = browser(streams.open());
  state.unread = 1;
  const sent = state.received;
  for (let second = 0; second < 10; second += 2) {
    data.live = `"${second}"`;
    await clock.advance(2_000);
  }
  assert.equal(state.received, sent, 'nothing is sent on top of what is unread');
  state.unread = 0;
  await clock.advance(2_000);
  assert.equal(state.received, `${sent}event: live\ndata: "8"\n\n`);
  state.unread = 1;
  await clock.advance(22_000);
  assert.equal(state.how, 'aborted');
  assert.equal(counted('slow'), 1);
});

test('there are at most so many streams; further ones are refused and counted until one ends', async () => {
  const { streams, counted, metrics } = hub();
  const open = Array.from({ length: MAX_STREAMS }, () => browser(streams.open()));
  const refused = streams.open();
  assert.deepEqual([refused.status, refused.headers], [503, { 'retry-after': '30' }]);
  assert.deepEqual([counted('opened'), counted('refused')], [MAX_STREAMS, 1]);
  assert.match(metrics.render(), new RegExp(`^healthdns_page_streams ${MAX_STREAMS}$`, 'm'));
  open[0].leave();
  assert.equal(streams.open().status, 200);
});

test('streams end after ten minutes, and when all are closed, so that access is checked again', async () => {
  const { clock, streams } = hub();
  const first = browser(streams.open());
  await clock.advance(602_000);
  assert.equal(first.state.how, 'ended');
  const second = browser(streams.open());
  streams.closeAll();
  assert.equal(second.state.how, 'ended');
  assert.equal(clock.pendingTimers(), 1);
  await clock.advance(2_000);
  assert.equal(clock.pendingTimers(), 0);
});
