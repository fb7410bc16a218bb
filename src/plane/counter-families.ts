// The data threads' counters as Prometheus families, added up over threads where nobody needs them apart.
import { rcodeName, typeName } from '../dns/types.ts';
import type { Family, Sample } from '../metrics.ts';
import { COUNTED_TYPES, COUNTER, type Counters, RCODE_SLOTS, SIZE_BOUNDS } from './counters.ts';

export interface PlaneTotals {
  readonly threads: number;
  readonly restarts: number;
  readonly badChanges: number;
  readonly waitingChanges: number;
  readonly slotsInUse: number;
}

export function counterFamilies(rows: readonly Counters[], totals: PlaneTotals): Family[] {
  const sum = (counter: number) => rows.reduce((total, row) => total + row[counter], 0);
  const most = (counter: number) => Math.max(...rows.map((row) => row[counter]));
  const plain = (value: number): Sample[] => [{ labels: {}, value }];
  const labelled = (label: string, values: readonly (readonly [string, number])[]): Sample[] =>
    values.map(([name, value]) => ({ labels: { [label]: name }, value }));
  const counter = (name: string, help: string, samples: Sample[]): Family => ({ name, help, type: 'counter', samples });
  const gauge = (name: string, help: string, samples: Sample[]): Family => ({ name, help, type: 'gauge', samples });

  return [
    counter('healthdns_dns_requests_total', 'Messages that arrived.', [
      ...(
        [
          ['udp', '4', COUNTER.UDP4],
          ['udp', '6', COUNTER.UDP6],
          ['tcp', '4', COUNTER.TCP4],
          ['tcp', '6', COUNTER.TCP6],
        ] as const
      ).map(([proto, family, slot]) => ({ labels: { proto, family }, value: sum(slot) })),
    ]),
    counter(
      'healthdns_dns_request_type_total',
      'Well-formed queries by type.',
      labelled('type', [
        ...COUNTED_TYPES.map((type, i) => [typeName(type), sum(COUNTER.TYPES + i)] as const),
        ['other', sum(COUNTER.TYPES + COUNTED_TYPES.length)],
      ]),
    ),
    counter(
      'healthdns_dns_responses_total',
      'Responses by rcode; forwarded queries are counted by healthdns_dns_forwarded_total.',
      labelled(
        'rcode',
        Array.from({ length: RCODE_SLOTS }, (_, rcode) => [rcodeName(rcode), sum(COUNTER.RCODES + rcode)] as const),
      ),
    ),
    sizes(rows),
    counter('healthdns_dns_truncated_total', 'Responses with TC set.', plain(sum(COUNTER.TRUNCATED))),
    counter('healthdns_dns_forwarded_total', 'Queries for names outside our zones.', plain(sum(COUNTER.FORWARDED))),
    counter(
      'healthdns_dns_dropped_total',
      'Messages without a response.',
      labelled('reason', [
        ['short', sum(COUNTER.DROPPED_SHORT)],
        ['response', sum(COUNTER.DROPPED_RESPONSE)],
        ['port-0', sum(COUNTER.DROPPED_PORT)],
        ['send', sum(COUNTER.DROPPED_SEND)],
        ['receive-buffer', sum(COUNTER.DROPPED_KERNEL)],
      ]),
    ),
    counter('healthdns_dns_errors_total', 'Queries answered SERVFAIL because of a bug.', plain(sum(COUNTER.ERRORS))),
    counter('healthdns_udp_batches_total', 'Batches read from UDP sockets.', plain(sum(COUNTER.BATCHES))),
    counter('healthdns_udp_batched_total', 'Messages in those batches.', plain(sum(COUNTER.BATCHED))),
    gauge('healthdns_tcp_connections', 'Open TCP connections.', plain(sum(COUNTER.TCP_OPEN))),
    counter(
      'healthdns_tcp_connections_total',
      'TCP connections by how they went.',
      labelled('event', [
        ['accepted', sum(COUNTER.TCP_ACCEPTED)],
        ['refused', sum(COUNTER.TCP_REFUSED)],
        ['timeout', sum(COUNTER.TCP_TIMEOUTS)],
        ['aborted', sum(COUNTER.TCP_ABORTED)],
        ['evicted', sum(COUNTER.TCP_EVICTED)],
        ['unread', sum(COUNTER.TCP_UNREAD)],
      ]),
    ),
    gauge('healthdns_zones', 'Zones served.', plain(most(COUNTER.ZONES))),
    gauge('healthdns_names', 'Names served.', plain(most(COUNTER.NAMES))),
    gauge('healthdns_records', 'Records served, healthy or not.', plain(most(COUNTER.RECORDS))),
    gauge('healthdns_table_bytes', 'Memory of the tables of all data threads.', plain(sum(COUNTER.TABLE_BYTES))),
    counter('healthdns_changes_applied_total', 'Changes applied by data threads.', plain(sum(COUNTER.APPLIED))),
    gauge('healthdns_changes_waiting', 'Changes on their way to data threads.', plain(totals.waitingChanges)),
    counter('healthdns_changes_bad_total', 'Changes that could not be said in DNS.', plain(totals.badChanges)),
    gauge('healthdns_data_threads', 'Data threads that run.', plain(totals.threads)),
    counter(
      'healthdns_data_thread_restarts_total',
      'Data threads that died and were replaced.',
      plain(totals.restarts),
    ),
    gauge('healthdns_health_slots', 'Health slots in use.', plain(totals.slotsInUse)),
  ];
}

function sizes(rows: readonly Counters[]): Family {
  const sum = (counter: number) => rows.reduce((total, row) => total + row[counter], 0);
  let count = 0;
  const samples: Sample[] = SIZE_BOUNDS.map((bound, i) => {
    count += sum(COUNTER.SIZES + i);
    return { suffix: '_bucket', labels: { le: String(bound) }, value: count };
  });
  samples.push(
    { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
    { suffix: '_sum', labels: {}, value: sum(COUNTER.SIZE_SUM) },
    { suffix: '_count', labels: {}, value: count },
  );
  return { name: 'healthdns_dns_response_size_bytes', help: 'Sizes of responses.', type: 'histogram', samples };
}
