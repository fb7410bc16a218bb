import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createForwardCounters,
  createUpstreamCounters,
  type ForwardStatistics,
} from '../../src/plane/forward-statistics.ts';
import { createUpstreamLog } from '../../src/plane/upstream-log.ts';

type State = Partial<Pick<ForwardStatistics['upstreams'][number], 'up' | 'reason' | 'loops'>>;

const GAUGES = { entries: 0, negativeEntries: 0, bytes: 0, waiting: 0, questions: 0, sockets: 0, deadlines: 0 };

/** One thread, in which each of these zones has the same upstream in a state. */
function thread(states: Readonly<Record<string, State>>): ForwardStatistics {
  const upstreams = Object.entries(states).map(([zone, state]) => ({
    ...createUpstreamCounters('192.0.2.1:53', zone),
    ...state,
  }));
  return { counters: createForwardCounters(), gauges: GAUGES, upstreams, routes: [], hosts: [] };
}

const DOWN = { up: 0, reason: 'no reply in time' };

test('an upstream server that goes down and comes back is one line each, across threads and routes', () => {
  const lines: string[] = [];
  const note = createUpstreamLog((level, message) => lines.push(`${level} ${message}`));
  note([thread({ '.': {}, 'corp.': {} }), thread({ '.': {}, 'corp.': {} })]);
  assert.deepEqual(lines, []);
  note([thread({ '.': {}, 'corp.': DOWN }), thread({ '.': {}, 'corp.': {} })]);
  note([thread({ '.': DOWN, 'corp.': DOWN }), thread({ '.': { ...DOWN, reason: 'ECONNREFUSED' }, 'corp.': {} })]);
  assert.deepEqual(lines.splice(0), ['warn upstream 192.0.2.1:53 is down: no reply in time']);
  note([thread({ '.': DOWN, 'corp.': {} }), thread({ '.': {}, 'corp.': {} })]);
  assert.deepEqual(lines, [], 'one still has it down');
  note([thread({ '.': {}, 'corp.': {} }), thread({ '.': {}, 'corp.': {} })]);
  assert.deepEqual(lines.splice(0), ['info upstream 192.0.2.1:53 is up again']);
  note([thread({ '.': DOWN })]);
  note([thread({})]);
  assert.deepEqual(
    lines.splice(0),
    ['warn upstream 192.0.2.1:53 is down: no reply in time'],
    'one that is gone is not up',
  );
});

test('a loop is one line, and its end is one line, per route', () => {
  const lines: string[] = [];
  const note = createUpstreamLog((level, message) => lines.push(`${level} ${message}`));
  note([thread({ '.': { loops: true } }), thread({ '.': {} })]);
  note([thread({ '.': { loops: true } }), thread({ '.': { loops: true } })]);
  note([thread({ '.': {} }), thread({ '.': {} })]);
  assert.deepEqual(lines, [
    'error forwarding . to 192.0.2.1:53 loops back to this server, and is not used until the loop ends',
    'info forwarding . to 192.0.2.1:53 no longer loops back to this server',
  ]);
});
