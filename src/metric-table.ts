// Every metric of healthdns, declared once: /metrics and docs/metrics.md are made from this table, and a name that is not
// here does not compile. `room` is the folder of src/ that counts it.

export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  readonly room: string;
}

const metric =
  <const Type extends MetricSpec['type']>(type: Type) =>
  (room: string, help: string, labels: readonly string[] = []) => ({ type, labels, help, room });
const counter = metric('counter');
const gauge = metric('gauge');
const histogram = metric('histogram');

/** Labels of CoreDNS's server blocks, and of its cache in one. */
const BLOCK = ['server', 'zone', 'view'];
const CACHE = ['server', 'zones', 'view'];

export const METRICS = {
  healthdns_build_info: gauge('wiring', 'The running version, as labels; always 1.', ['version', 'node']),

  healthdns_dns_requests_total: counter('server', 'Messages received.', ['proto', 'family']),
  healthdns_dns_request_type_total: counter('server', 'Well-formed queries by type.', ['type']),
  healthdns_dns_do_requests_total: counter('server', 'Well-formed queries with the DO bit.'),
  healthdns_dns_responses_total: counter('server', 'Responses by rcode and by what answered.', ['rcode', 'by']),
  healthdns_dns_response_size_bytes: histogram('server', 'Sizes of responses.', ['proto']),
  healthdns_dns_request_duration_seconds: histogram(
    'server',
    'Time from reading a query to its response. Sampled: one response in 64 counts for 64; every response that waits for upstream servers is measured.',
  ),
  healthdns_dns_truncated_total: counter('server', 'Responses with TC set.'),
  healthdns_dns_forwarded_total: counter('server', 'Queries for names outside our zones.'),
  healthdns_dns_dropped_total: counter('server', 'Messages without a response.', ['reason']),
  healthdns_dns_errors_total: counter('server', 'Queries answered SERVFAIL because of a bug.'),
  healthdns_poll_failures_total: counter('server', 'Failures of poll() and invalid descriptors in data threads.'),
  healthdns_udp_batches_total: counter('server', 'Batches read from UDP sockets.'),
  healthdns_udp_batched_total: counter('server', 'Messages in those batches.'),
  healthdns_tcp_connections: gauge('server', 'Open TCP connections.'),
  healthdns_tcp_connections_total: counter('server', 'TCP connections by outcome.', ['event']),
  healthdns_zones: gauge('server', 'Zones served.'),
  healthdns_names: gauge('server', 'Names served.'),
  healthdns_records: gauge('server', 'Records served, healthy or not.'),
  healthdns_table_bytes: gauge('server', 'Memory of the tables of all data threads.'),

  healthdns_changes_applied_total: counter('plane', 'Changes applied by data threads.'),
  healthdns_changes_waiting: gauge('plane', 'Changes in transit to data threads.'),
  healthdns_changes_bad_total: counter('plane', 'Changes that cannot be expressed in DNS.'),
  healthdns_data_threads: gauge('plane', 'Running data threads.'),
  healthdns_data_thread_restarts_total: counter('plane', 'Data threads that died and were replaced.'),
  healthdns_data_thread_hangs_total: counter('plane', 'Of these, data threads that had stopped responding.'),
  healthdns_health_slots: gauge('plane', 'Health slots in use.'),

  healthdns_push_sessions: gauge('push', 'Open sessions of DNS Push.'),
  healthdns_push_subscriptions: gauge('push', 'Subscriptions of all sessions.'),
  healthdns_push_subscribed_rrsets: gauge('push', 'Names and types that are subscribed to.'),
  healthdns_push_changes_waiting: gauge('push', 'Of these, those with changes that have not been sent yet.'),
  healthdns_push_unread_bytes: gauge('push', 'Bytes that wait for clients to read.'),
  healthdns_push_connections_total: counter(
    'push',
    'Connections to the push address, by outcome: opened, refused at a limit, or closed without a handshake.',
    ['event'],
  ),
  healthdns_push_sessions_ended_total: counter('push', 'Sessions that have ended, by reason.', ['reason']),
  healthdns_push_requests_total: counter('push', 'Messages of clients, by kind.', ['kind']),
  healthdns_push_subscriptions_refused_total: counter('push', 'SUBSCRIBE requests that were refused.'),
  healthdns_push_states_total: counter(
    'push',
    'States of an RRset: sent to its subscribers, or skipped for a slow subscriber.',
    ['result'],
  ),
  healthdns_push_messages_total: counter('push', 'PUSH messages, one for each subscriber of a state.'),

  healthdns_cache_hits_total: counter('forward', 'Answers from the cache.', ['type']),
  healthdns_cache_misses_total: counter('forward', 'Cache misses.'),
  healthdns_cache_entries: gauge('forward', 'Answers in the cache.'),
  healthdns_cache_bytes: gauge('forward', 'Estimated memory of the cache.'),
  healthdns_cache_evictions_total: counter('forward', 'Answers dropped to make room.'),
  healthdns_cache_served_stale_total: counter('forward', 'Answers given past their TTL.'),
  healthdns_cache_prefetch_total: counter('forward', 'Answers refreshed before they expired.'),
  healthdns_forward_waiting: gauge('forward', 'Clients that wait for the upstreams of a zone.', ['zone']),
  healthdns_forward_sockets: gauge('forward', 'Open sockets to upstreams.'),
  healthdns_forward_coalesced_total: counter('forward', 'Clients that waited for the same question of another client.'),
  healthdns_forward_max_concurrent_rejects_total: counter(
    'forward',
    'SERVFAIL because too many clients waited for the upstreams of a zone.',
    ['zone'],
  ),
  healthdns_forward_client_limited_total: counter(
    'forward',
    'Responses changed by the limits of one client, by reason: `waiting` (SERVFAIL), `late` and `errors` (no response), `truncated` (an error, without records).',
    ['reason'],
  ),
  healthdns_forward_failed_total: counter('forward', 'Questions that no upstream answered.'),
  healthdns_forward_malformed_replies_total: counter('forward', 'Malformed or implausible replies.'),
  healthdns_forward_rebinding_dropped_total: counter('forward', 'Private addresses dropped from answers.'),
  healthdns_forward_loops_total: counter('forward', 'Forwarding loops detected.'),
  healthdns_forward_internal_errors_total: counter('forward', 'Exceptions while a reply or a failure was handled.'),
  healthdns_forward_requests_total: counter('forward', 'Messages sent to an upstream, health checks included.', ['to']),
  healthdns_forward_responses_total: counter('forward', 'Accepted replies of an upstream.', ['to']),
  healthdns_forward_failures_total: counter('forward', 'Messages without a reply: timeout, refused, reset.', ['to']),
  healthdns_forward_ignored_total: counter('forward', 'Messages that matched no question, or came late.', ['to']),
  healthdns_forward_sockets_total: counter('forward', 'Sockets and connections opened.', ['to']),
  healthdns_forward_healthcheck_failures_total: counter('forward', 'Failed health checks of an upstream.', ['to']),
  healthdns_forward_up: gauge('forward', '1: the upstream is used; 0: skipped until it answers a health check.', [
    'to',
  ]),
  healthdns_forward_request_duration_seconds: histogram('forward', 'From question to reply, by upstream.', ['to']),

  healthdns_node_session: gauge('node', '1: a session to a replica is established, and the held records are current.', [
    'replica',
  ]),
  healthdns_node_sessions_total: counter(
    'node',
    'Sessions to replicas by outcome: `established`, `lost`, `failed` (not established), `retry-delay` (the replica requested a later retry).',
    ['event'],
  ),
  healthdns_node_staleness_seconds: gauge(
    'node',
    'Age of the oldest held records since the session was lost; 0: they are current.',
  ),
  healthdns_node_pushes_total: counter('node', 'PUSH messages of replicas.'),
  healthdns_node_held_rrsets: gauge('node', 'RRsets held, each with a subscription.'),
  healthdns_node_held_bytes: gauge('node', 'Estimated memory of these.'),
  healthdns_node_given_up_total: counter(
    'node',
    'RRsets that are no longer held: `evicted` to make room, `unused`, `expired` without a session, `refused` by the replica.',
    ['reason'],
  ),
  healthdns_node_ignored_records_total: counter(
    'node',
    'Records of a replica that were ignored: `foreign`, outside the zones of the configuration; `unasked`, without a subscription.',
    ['reason'],
  ),
  healthdns_node_audit_total: counter(
    'node',
    'Held RRsets compared with an answer of the replica: `compared`, and `different`, which is a bug.',
    ['result'],
  ),

  healthdns_history_changes: gauge('history', 'Changes of answers that are remembered.'),
  healthdns_history_changes_total: counter('history', 'Changes of answers that were recorded.'),
  healthdns_history_dropped_total: counter('history', 'Changes dropped to make room for newer ones.'),
  healthdns_transitions_not_logged_total: counter(
    'history',
    'Transitions not logged because of the rate limits, per service and in total.',
  ),
  healthdns_events_total: counter('history', 'Kubernetes Events by outcome.', ['result']),
  healthdns_services_unanswered: gauge('history', 'Services that have nothing to answer.', ['zone']),
  healthdns_service_unanswered: gauge(
    'history',
    'Services that have nothing to answer; always 1. At most 100 of each zone.',
    ['zone', 'namespace', 'service'],
  ),

  healthdns_registry_services: gauge('registry', 'Known services.'),
  healthdns_registry_instances: gauge('registry', 'Known instances.'),
  healthdns_registry_groups: gauge('registry', 'Source objects that list instances, such as EndpointSlices.'),
  healthdns_registry_subjects: gauge('registry', 'Subjects with known facts, such as pods and nodes.'),
  healthdns_instances: gauge('health', 'Instances by zone, status and whether they may be answered.', [
    'zone',
    'status',
    'answered',
  ]),
  healthdns_health_passes_total: counter('health', 'Passes of the health-sync loop.'),
  healthdns_health_judged_total: counter('health', 'Verdicts made.'),
  healthdns_health_changes_total: counter('health', 'Verdicts that differed from the previous one.'),
  healthdns_health_dirty: gauge('health', 'Services and instances waiting for a verdict.'),
  healthdns_checks: gauge('health', 'Instances with an active check.'),
  healthdns_checks_running: gauge('health', 'Active checks under way.'),
  healthdns_checks_waiting: gauge('health', 'Active checks that are due but wait for others.'),
  healthdns_check_results_total: counter(
    'health',
    'Results of active checks; `not_run`: this host had no descriptors, memory or processes left for it.',
    ['result'],
  ),
  healthdns_checks_late_total: counter(
    'health',
    'Active checks started over a second late: limits.concurrentChecks is too small.',
  ),
  healthdns_name_conflicts: gauge(
    'zone',
    'Services that are not answered at their own name because another service has it.',
  ),
  healthdns_owners_dirty: gauge('zone', 'Services and zones whose names wait to be compiled.'),

  healthdns_source_synced: gauge('sources', '1 once a source has been read completely.', ['source']),
  healthdns_source_stale: gauge(
    'sources',
    '1 while a source is served from its snapshot, or has not been confirmed for longer than `staleAfterSeconds`.',
    ['source'],
  ),
  healthdns_source_data_age_seconds: gauge(
    'sources',
    'Seconds since the last sign of life of the kind of object that has been silent longest.',
    ['source'],
  ),
  healthdns_source_degraded: gauge(
    'sources',
    '1 for a kind of object that RBAC denies; the source is served without it.',
    ['source', 'kind'],
  ),
  healthdns_source_objects: gauge('sources', 'Known objects of each kind.', ['source', 'kind']),
  healthdns_programming_duration_seconds: histogram(
    'wiring',
    'From a change of the endpoints of a headless service, as dated by its controller, until every data thread has it.',
  ),
  healthdns_source_events_total: counter('sources', 'Events while watching a kind of object.', [
    'source',
    'kind',
    'event',
  ]),

  healthdns_cloudmap_requests_total: counter('http', 'Cloud Map API calls by operation and result.', [
    'operation',
    'result',
  ]),
  healthdns_ecs_requests_total: counter('http', 'ECS API calls by operation and result.', ['operation', 'result']),
  healthdns_cloudmap_store_failures_total: counter('cloudmap', 'Writes that the store refused.'),
  healthdns_ecs_tasks: gauge('ecs', 'Pods that are running ECS tasks.'),
  healthdns_ecs_tasks_unplaced: gauge(
    'ecs',
    'Tasks without a Cloud Map service: none is named, or the name is unknown or ambiguous.',
  ),
  healthdns_ecs_tasks_namesakes: gauge('ecs', 'Tasks that got a suffix because an older task has the same id.'),
  healthdns_endpoints_writer: gauge('endpoints', '1 on the replica that writes endpoints.'),
  healthdns_endpoints_writes_total: counter('endpoints', 'EndpointSlices and Endpoints written.'),
  healthdns_endpoints_write_seconds: histogram('endpoints', 'From a change of health to the slice that shows it.'),

  healthdns_http_requests_total: counter('http', 'HTTP requests by endpoint and status.', ['endpoint', 'code']),
  healthdns_page_streams: gauge('http', 'Open status pages that receive updates.'),
  healthdns_page_streams_total: counter(
    'http',
    'Of these: `opened`, `refused` (too many are open), `slow` (closed, because the browser did not read).',
    ['event'],
  ),
  healthdns_http_connections_dropped_total: counter('http', 'HTTP connections closed at limits.httpConnections.'),
  healthdns_reloads_total: counter('cli', 'Reloads of the configuration.', ['result']),
  healthdns_config_hash: gauge('wiring', 'The configuration in force, by the hash of the file; always 1.', ['hash']),
  healthdns_config_reload_failed_total: counter('wiring', 'Reloads that were refused or failed, and changed nothing.'),
  healthdns_config_last_reload_success_timestamp_seconds: gauge(
    'wiring',
    'When the configuration in force took effect, Unix time.',
  ),
  healthdns_log_lines_dropped_total: counter(
    'wiring',
    'Log lines dropped because the next stage did not keep up: `stderr`, or the control plane for `data threads`.',
    ['from'],
  ),
  healthdns_dnstap_frames_total: counter(
    'plane',
    'Queries that dnstap has sent, or dropped because they could not be sent.',
    ['result'],
  ),
  coredns_build_info: gauge('coredns', 'The running version, as labels; always 1.', [
    'version',
    'revision',
    'goversion',
  ]),
  coredns_plugin_enabled: gauge('coredns', 'Plugins that correspond to the configuration; always 1.', [
    ...BLOCK,
    'name',
  ]),
  coredns_dns_requests_total: counter('coredns', 'Well-formed queries.', [...BLOCK, 'proto', 'family', 'type']),
  coredns_dns_do_requests_total: counter('coredns', 'Of these, with the DO bit.', BLOCK),
  coredns_dns_request_size_bytes: histogram('coredns', 'Sizes of queries, sampled like their durations.', [
    ...BLOCK,
    'proto',
  ]),
  coredns_dns_request_duration_seconds: histogram(
    'coredns',
    'As healthdns_dns_request_duration_seconds, with the bounds of CoreDNS.',
    BLOCK,
  ),
  coredns_dns_response_size_bytes: histogram('coredns', 'Sizes of responses.', [...BLOCK, 'proto']),
  coredns_dns_responses_total: counter('coredns', 'Responses.', [...BLOCK, 'rcode', 'plugin']),
  coredns_cache_entries: gauge('coredns', 'Answers in the cache.', [...CACHE, 'type']),
  coredns_cache_requests_total: counter('coredns', 'Questions to the cache.', CACHE),
  coredns_cache_hits_total: counter('coredns', 'Answers from the cache.', [...CACHE, 'type']),
  coredns_cache_misses_total: counter('coredns', 'Cache misses.', CACHE),
  coredns_cache_evictions_total: counter('coredns', 'Answers dropped to make room.', [...CACHE, 'type']),
  coredns_cache_prefetch_total: counter('coredns', 'Answers refreshed before they expired.', CACHE),
  coredns_cache_served_stale_total: counter('coredns', 'Answers given past their TTL.', CACHE),
  coredns_cache_drops_total: counter('coredns', 'Replies that matched no question, or came late.', CACHE),
  coredns_forward_requests_total: counter('coredns', 'Messages sent to an upstream, without failed health checks.', [
    'to',
  ]),
  coredns_forward_responses_total: counter('coredns', 'Accepted replies of an upstream.', ['to', 'rcode']),
  coredns_forward_request_duration_seconds: histogram('coredns', 'From question to reply.', ['to', 'rcode']),
  coredns_forward_healthcheck_failures_total: counter('coredns', 'Failed health checks of an upstream.', ['to']),
  coredns_forward_healthcheck_broken_total: counter('coredns', 'Questions while every upstream of a zone was down.'),
  coredns_forward_max_concurrent_rejects_total: counter('coredns', 'SERVFAIL because too many clients waited.'),
  coredns_forward_conn_cache_hits_total: counter('coredns', 'Messages over an open socket.', ['to', 'proto']),
  coredns_forward_conn_cache_misses_total: counter('coredns', 'Sockets opened.', ['to', 'proto']),
  coredns_proxy_request_duration_seconds: histogram('coredns', 'From question to reply.', [
    'proxy_name',
    'to',
    'rcode',
  ]),
  coredns_proxy_healthcheck_failures_total: counter('coredns', 'Failed health checks of an upstream.', [
    'proxy_name',
    'to',
  ]),
  coredns_proxy_conn_cache_hits_total: counter('coredns', 'Messages over an open socket.', [
    'proxy_name',
    'to',
    'proto',
  ]),
  coredns_proxy_conn_cache_misses_total: counter('coredns', 'Sockets opened.', ['proxy_name', 'to', 'proto']),
  coredns_hosts_entries: gauge('coredns', 'Names and addresses of `hosts`.', ['hostsfile']),
  coredns_hosts_reload_timestamp_seconds: gauge('coredns', 'When a file of `hosts` was read last, Unix time.'),
  coredns_health_request_duration_seconds: histogram(
    'coredns',
    'How long the event loop would have kept a health request waiting, once a second.',
  ),
  coredns_health_request_failures_total: counter('coredns', 'Always 0: nothing can fail.'),
  coredns_kubernetes_dns_programming_duration_seconds: histogram(
    'coredns',
    'As healthdns_programming_duration_seconds.',
    ['service_kind'],
  ),
  coredns_panics_total: counter('coredns', 'Queries answered SERVFAIL because of a bug, and data threads that died.'),
  coredns_reload_failed_total: counter('coredns', 'Reloads that were refused or failed, and changed nothing.'),

  process_cpu_seconds_total: counter('wiring', 'User and system CPU time, all threads.'),
  process_resident_memory_bytes: gauge('wiring', 'Resident memory, all threads.'),
  process_start_time_seconds: gauge('wiring', 'Start, Unix time.'),
  process_virtual_memory_bytes: gauge('wiring', 'Virtual memory (Linux).'),
  process_open_fds: gauge('wiring', 'Open file descriptors (Linux).'),
  process_max_fds: gauge('wiring', 'Maximum number of open file descriptors (Linux).'),
  nodejs_heap_size_used_bytes: gauge('wiring', "Heap of the control plane's thread in use."),
  nodejs_heap_size_total_bytes: gauge('wiring', 'Memory of this heap.'),
  nodejs_external_memory_bytes: gauge('wiring', "Memory of the control plane's thread beside its heap."),
  nodejs_eventloop_lag_seconds: gauge('wiring', "How late the control plane's event loop was within the last second."),
  healthdns_event_loop_delay_seconds: histogram('wiring', 'The same, once a second.'),
  healthdns_event_loop_active_seconds_total: counter('wiring', "Time that the control plane's event loop was busy."),
} as const satisfies Record<string, MetricSpec>;

/** The names of all metrics, or of those of one type. */
export type MetricName<Type extends MetricSpec['type'] = MetricSpec['type']> = {
  [Name in keyof typeof METRICS]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[keyof typeof METRICS];
