// The counters of the data threads as metrics, summed over threads.
import { RCODE, rcodeName, typeName } from '../dns/types.ts';
import type { MetricName } from '../metric-table.ts';
import type { Reading } from '../metrics.ts';
import {
  ANSWERED_BY,
  COUNTED_TYPES,
  COUNTER,
  type Counters,
  DURATION_BOUNDS_US,
  RCODE_SLOTS,
  TRANSPORTS,
  TYPE_SLOTS,
} from './counters.ts';
import { durations, responseSizes, sumOf } from './distributions.ts';

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
  healthdns_dns_do_requests_total: [[COUNTER.DNSSEC_OK]],
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

const PROTOS = ['udp', 'tcp'] as const;
const SIZE_BOUNDS = [64, 128, 256, 512, 1232, 4096, 65_535];
/** Those that the responder sets; others are shown once an upstream server has sent them. */
const OWN_RCODES: ReadonlySet<number> = new Set([
  ...[RCODE.NOERROR, RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NXDOMAIN, RCODE.NOTIMP, RCODE.REFUSED],
  ...[RCODE.YXDOMAIN, RCODE.BADVERS],
]);

/** Equal in every thread, except while one is being filled. */
const SHARED: readonly (readonly [MetricName, counter: number])[] = [
  ['healthdns_zones', COUNTER.ZONES],
  ['healthdns_names', COUNTER.NAMES],
  ['healthdns_records', COUNTER.RECORDS],
];

/** `rows` are those of all threads and views. */
export function counterReadings(rows: readonly Counters[], totals: PlaneTotals): Reading[] {
  const sums = Object.entries(SUMS).flatMap(([name, series]) =>
    series.map(([counter, ...labels]): Reading => ({ name: name as MetricName, labels, value: sumOf(rows, counter) })),
  );
  const shared = SHARED.map(([name, counter]) => ({ name, value: Math.max(...rows.map((row) => row[counter])) }));
  return [
    ...sums,
    ...shared,
    ...typeReadings(rows),
    ...rcodeReadings(rows),
    ...PROTOS.map((proto, i) => ({
      name: 'healthdns_dns_response_size_bytes' as const,
      labels: [proto],
      value: responseSizes(rows, [i as 0 | 1], SIZE_BOUNDS),
    })),
    { name: 'healthdns_dns_request_duration_seconds', value: durations(rows, DURATION_BOUNDS_US) },
    { name: 'healthdns_changes_waiting', value: totals.waitingChanges },
    { name: 'healthdns_changes_bad_total', value: totals.badChanges },
    { name: 'healthdns_data_threads', value: totals.threads },
    { name: 'healthdns_data_thread_restarts_total', value: totals.restarts },
    { name: 'healthdns_data_thread_hangs_total', value: totals.hangs },
    { name: 'healthdns_health_slots', value: totals.slotsInUse },
  ];
}

function typeReadings(rows: readonly Counters[]): Reading[] {
  return Array.from({ length: TYPE_SLOTS }, (_, slot): Reading => {
    const type = COUNTED_TYPES[slot];
    const counters = TRANSPORTS.map((_transport, i) => COUNTER.TYPES + i * TYPE_SLOTS + slot);
    const value = counters.reduce((total, counter) => total + sumOf(rows, counter), 0);
    return { name: 'healthdns_dns_request_type_total', labels: [type === undefined ? 'other' : typeName(type)], value };
  });
}

function rcodeReadings(rows: readonly Counters[]): Reading[] {
  return ANSWERED_BY.flatMap((by, i) =>
    Array.from({ length: RCODE_SLOTS }, (_, rcode) => rcode).flatMap((rcode): Reading[] => {
      const value = sumOf(rows, COUNTER.RCODES + i * RCODE_SLOTS + rcode);
      if (value === 0 && !(by === 'own' && OWN_RCODES.has(rcode))) return [];
      return [{ name: 'healthdns_dns_responses_total', labels: [rcodeName(rcode), by], value }];
    }),
  );
}
