// What an agent counts, as metrics: those of the data plane, and its own.
import type { Reading } from '../metrics.ts';
import { counterReadings } from '../plane/counter-readings.ts';
import { forwardReadings } from '../plane/forward-readings.ts';
import type { ForwardStatistics } from '../plane/forward-statistics.ts';
import { VERSION } from '../version.ts';
import type { AgentState } from './agent.ts';

/** There are no other threads and no control plane. */
const TOTALS = { threads: 1, restarts: 0, hangs: 0, badChanges: 0, waitingChanges: 0, slotsInUse: 0 };

export function agentReadings(agent: AgentState): Reading[] {
  const { engine } = agent.answering;
  const statistics = engine.forwarders.map(
    (forwarder): ForwardStatistics => ({
      counters: forwarder.counters,
      gauges: forwarder.gauges(),
      upstreams: forwarder.upstreams(),
      routes: forwarder.routes(),
      hosts: [forwarder.hosts()].flatMap((hosts) => hosts ?? []),
    }),
  );
  return [
    { name: 'healthdns_build_info', labels: [VERSION, process.version], value: 1 },
    ...counterReadings([engine.counters], TOTALS),
    ...forwardReadings(statistics),
    ...ownReadings(agent),
  ];
}

function ownReadings({ held, replicas, audit, clock }: AgentState): Reading[] {
  const session = replicas.session();
  const { counts } = replicas;
  const oldestMs = held.oldestMs();
  const byReason = (name: 'healthdns_node_given_up_total' | 'healthdns_node_ignored_records_total', of: object) =>
    Object.entries(of).map(([reason, value]): Reading => ({ name, labels: [reason], value }));
  const { foreign, unasked, ...givenUp } = held.counts;
  return [
    { name: 'healthdns_node_session', labels: [replicas.address()], value: session === undefined ? 0 : 1 },
    { name: 'healthdns_node_sessions_total', labels: ['established'], value: counts.established },
    { name: 'healthdns_node_sessions_total', labels: ['lost'], value: counts.lost },
    { name: 'healthdns_node_sessions_total', labels: ['failed'], value: counts.failed },
    { name: 'healthdns_node_sessions_total', labels: ['retry-delay'], value: counts.retryDelays },
    {
      name: 'healthdns_node_staleness_seconds',
      value: oldestMs === undefined ? 0 : (clock.monotonicMs() - oldestMs) / 1000,
    },
    { name: 'healthdns_node_pushes_total', value: counts.pushes + (session?.pushes ?? 0) },
    { name: 'healthdns_node_held_rrsets', value: held.rrsets() },
    { name: 'healthdns_node_held_bytes', value: held.bytes() },
    ...byReason('healthdns_node_given_up_total', givenUp),
    ...byReason('healthdns_node_ignored_records_total', { foreign, unasked }),
    { name: 'healthdns_node_audit_total', labels: ['compared'], value: audit.counts.compared },
    { name: 'healthdns_node_audit_total', labels: ['different'], value: audit.counts.different },
  ];
}
