// The counters of the data threads as metrics, summed over threads.
import { rcodeName, typeName } from '../dns/types.ts';
import type { MetricName } from '../metric-table.ts';
import type { Reading } from '../metrics.ts';
import { COUNTED_TYPES, COUNTER, type Counters, RCODE_SLOTS, SIZE_BOUNDS } from './counters.ts';

export interface PlaneTotals {
  readonly threads: number;
  readonly restarts: number;
  readonly hangs: number;
  readonly badChanges: number;
  readonly waitingChanges: number;
  readonly slotsInUse: number;
}

/** Each combination of labels with its counter. */
const SUMS: Partial<Record<MetricName, readonly (readonly [counter: number, ...labels: string[]])[]>> = {
  healthdns_dns_requests_total: [
    [COUNTER.UDP4, 'udp', '4'],
    [COUNTER.UDP6, 'udp', '6'],
    [COUNTER.TCP4, 'tcp', '4'],
    [COUNTER.TCP6, 'tcp', '6'],
  ],
  healthdns_dns_request_type_total: [
    ...COUNTED_TYPES.map((type, i) => [COUNTER.TYPES + i, typeName(type)] as const),
    [COUNTER.TYPES + COUNTED_TYPES.length, 'other'],
  ],
  healthdns_dns_responses_total: Array.from(
    { length: RCODE_SLOTS },
    (_, rcode) => [COUNTER.RCODES + rcode, rcodeName(rcode)] as const,
  ),
  healthdns_dns_truncated_total: [[COUNTER.TRUNCATED]],
  healthdns_dns_forwarded_total: [[COUNTER.FORWARDED]],
  healthdns_dns_dropped_total: [
    [COUNTER.DROPPED_SHORT, 'short'],
    [COUNTER.DROPPED_RESPONSE, 'response'],
    [COUNTER.DROPPED_PORT, 'port-0'],
    [COUNTER.DROPPED_SEND, 'send'],
    [COUNTER.DROPPED_KERNEL, 'receive-buffer'],
  ],
  healthdns_dns_errors_total: [[COUNTER.ERRORS]],
  healthdns_poll_failures_total: [[COUNTER.POLL_FAILED]],
  healthdns_udp_batches_total: [[COUNTER.BATCHES]],
  healthdns_udp_batched_total: [[COUNTER.BATCHED]],
  healthdns_tcp_connections: [[COUNTER.TCP_OPEN]],
  healthdns_tcp_connections_total: [
    [COUNTER.TCP_ACCEPTED, 'accepted'],
    [COUNTER.TCP_REFUSED, 'refused'],
    [COUNTER.TCP_TIMEOUTS, 'timeout'],
    [COUNTER.TCP_ABORTED, 'aborted'],
    [COUNTER.TCP_EVICTED, 'evicted'],
    [COUNTER.TCP_UNREAD, 'unread'],
  ],
  healthdns_table_bytes: [[COUNTER.TABLE_BYTES]],
  healthdns_changes_applied_total: [[COUNTER.APPLIED]],
  healthdns_log_lines_dropped_total: [[COUNTER.LOG_DROPPED, 'data threads']],
  healthdns_dnstap_frames_total: [
    [COUNTER.DNSTAP_SENT, 'sent'],
    [COUNTER.DNSTAP_DROPPED, 'dropped'],
  ],
};

/** Equal in every thread, except while one is being filled. */
const SHARED: readonly (readonly [MetricName, counter: number])[] = [
  ['healthdns_zones', COUNTER.ZONES],
  ['healthdns_names', COUNTER.NAMES],
  ['healthdns_records', COUNTER.RECORDS],
];

export function counterReadings(rows: readonly Counters[], totals: PlaneTotals): Reading[] {
  const sum = (counter: number) => rows.reduce((total, row) => total + row[counter], 0);
  const sums = Object.entries(SUMS).flatMap(([name, series]) =>
    series.map(([counter, ...labels]): Reading => ({ name: name as MetricName, labels, value: sum(counter) })),
  );
  const shared = SHARED.map(([name, counter]) => ({ name, value: Math.max(...rows.map((row) => row[counter])) }));
  const sizes = {
    upperBounds: SIZE_BOUNDS,
    counts: [...SIZE_BOUNDS.map((_, i) => sum(COUNTER.SIZES + i)), 0],
    sum: sum(COUNTER.SIZE_SUM),
  };
  return [
    ...sums,
    ...shared,
    { name: 'healthdns_dns_response_size_bytes', value: sizes },
    { name: 'healthdns_changes_waiting', value: totals.waitingChanges },
    { name: 'healthdns_changes_bad_total', value: totals.badChanges },
    { name: 'healthdns_data_threads', value: totals.threads },
    { name: 'healthdns_data_thread_restarts_total', value: totals.restarts },
    { name: 'healthdns_data_thread_hangs_total', value: totals.hangs },
    { name: 'healthdns_health_slots', value: totals.slotsInUse },
  ];
}
