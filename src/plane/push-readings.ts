// The counters of the push thread as metrics.
import type { MetricName } from '../metric-table.ts';
import type { Reading } from '../metrics.ts';
import { COUNTER, type Counters, PUSH_ENDS } from './counters.ts';
import { sumOf } from './distributions.ts';

/** Each combination of labels with its counter. */
const SUMS: Partial<Record<MetricName, readonly (readonly [counter: number, ...labels: string[]])[]>> = {
  healthdns_push_sessions: [[COUNTER.PUSH_SESSIONS]],
  healthdns_push_subscriptions: [[COUNTER.PUSH_SUBSCRIPTIONS]],
  healthdns_push_subscribed_rrsets: [[COUNTER.PUSH_KEYS]],
  healthdns_push_changes_waiting: [[COUNTER.PUSH_WAITING]],
  healthdns_push_unread_bytes: [[COUNTER.PUSH_UNREAD_BYTES]],
  healthdns_push_connections_total: [
    [COUNTER.PUSH_OPENED, 'opened'],
    [COUNTER.PUSH_TURNED_AWAY, 'turned-away'],
    [COUNTER.PUSH_TLS_FAILED, 'handshake'],
  ],
  healthdns_push_sessions_ended_total: PUSH_ENDS.map((reason, i) => [COUNTER.PUSH_ENDED + i, reason] as const),
  healthdns_push_requests_total: [
    [COUNTER.PUSH_KEEPALIVES, 'keepalive'],
    [COUNTER.PUSH_SUBSCRIBES, 'subscribe'],
    [COUNTER.PUSH_UNSUBSCRIBES, 'unsubscribe'],
    [COUNTER.PUSH_RECONFIRMS, 'reconfirm'],
    [COUNTER.PUSH_QUERIES, 'query'],
    [COUNTER.PUSH_UNKNOWN, 'unknown'],
    [COUNTER.PUSH_MALFORMED, 'malformed'],
  ],
  healthdns_push_subscriptions_refused_total: [[COUNTER.PUSH_REFUSED]],
  healthdns_push_states_total: [
    [COUNTER.PUSH_STATES, 'sent'],
    [COUNTER.PUSH_SKIPPED, 'skipped'],
  ],
  healthdns_push_messages_total: [[COUNTER.PUSH_MESSAGES]],
};

export const pushReadings = (rows: readonly Counters[]): Reading[] =>
  Object.entries(SUMS).flatMap(([name, series]) =>
    series.map(([counter, ...labels]) => ({ name: name as MetricName, labels, value: sumOf(rows, counter) })),
  );
