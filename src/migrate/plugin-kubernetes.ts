// `kubernetes` (https://coredns.io/plugins/kubernetes/) → a zone with `kubernetes`.
import { type BlockContext, seconds, zoneName, zoneNames } from './draft.ts';
import { applyOptions, flag, keylessOption, list, type Option, type Plugin, text } from './plugin.ts';

const STARTUP =
  'answers begin immediately: SERVFAIL (EDE 14) for names that are not known yet; `/ready` returns 503 until all are known';

const OPTIONS: readonly Option[] = [
  keylessOption(
    'endpoint',
    'dropped',
    '`kubeconfig`',
    'write a kubeconfig with `server`; `kubeconfig` and `context` name it',
  ),
  keylessOption(
    'tls',
    'dropped',
    '`kubeconfig`',
    '`client-certificate`, `client-key` and `certificate-authority` in the kubeconfig',
  ),
  {
    name: 'kubeconfig',
    syntax: '`kubeconfig FILE [CONTEXT]`',
    healthdns: '`kubeconfig`, `context`',
    outcome: 'same',
    apply([file, context], target) {
      if (file === undefined) return '`kubeconfig` has no file';
      target.kubeconfig = file;
      if (context !== undefined) target.context = context;
      return undefined;
    },
  },
  list('namespaces', 'NAMESPACE', 'namespaces'),
  {
    name: 'namespace_labels',
    syntax: '`namespace_labels EXPRESSION`',
    healthdns: '`namespaceLabels`',
    note: 'may be combined with `namespaces`: both must match',
    outcome: 'same',
    apply(args, target) {
      target.namespaceLabels = args.join(' ');
      return undefined;
    },
  },
  {
    name: 'labels',
    syntax: '`labels EXPRESSION`',
    healthdns: '`labels`',
    outcome: 'same',
    apply(args, target) {
      target.labels = args.join(' ');
      return undefined;
    },
  },
  {
    name: 'pods',
    syntax: '`pods disabled\\|insecure\\|verified`',
    healthdns: '`pods`',
    note: 'Pods are watched in any case: their health counts',
    outcome: 'same',
    apply([mode], target) {
      if (!['disabled', 'insecure', 'verified'].includes(mode))
        return `\`pods\` is disabled, insecure or verified, not "${mode}"`;
      target.pods = mode;
      return undefined;
    },
  },
  flag('endpoint_pod_names', 'endpointPodNames'),
  {
    name: 'ttl',
    syntax: '`ttl TTL`',
    healthdns: '`ttlSeconds`',
    note: '5 is the default in both; short TTLs let clients notice dead instances sooner',
    outcome: 'same',
    apply([ttl], target) {
      const value = seconds(ttl);
      if (value === undefined || value > 3600) return `\`ttl\` is 0 to 3600 seconds, not "${ttl}"`;
      target.ttlSeconds = value;
      return undefined;
    },
  },
  keylessOption('noendpoints', 'changed', 'none', 'endpoints are always read: their health decides what is answered'),
  {
    name: 'fallthrough',
    syntax: '`fallthrough [ZONE…]`',
    healthdns: '`fallthrough`',
    note: 'to `hosts`, `templates` and `forward`',
    outcome: 'same',
    differences: ['fallthrough-nowhere'],
    apply(args, target) {
      target.fallthrough = args.length === 0 ? true : args.flatMap(zoneNames).map(withoutDot);
      return undefined;
    },
  },
  {
    name: 'ignore',
    syntax: '`ignore empty_service`',
    healthdns: '`ignoreEmptyService: true`',
    outcome: 'same',
    apply([what], target) {
      if (what !== 'empty_service') return `\`ignore\` is followed by empty_service, not "${what ?? ''}"`;
      target.ignoreEmptyService = true;
      return undefined;
    },
  },
  {
    name: 'multicluster',
    syntax: '`multicluster ZONE…`',
    healthdns: '`multicluster: true` in a zone of its own',
    outcome: 'same',
    apply: () => undefined,
  },
  {
    ...keylessOption('zonal', 'dropped', 'none', 'names by topology zone are not part of the specification'),
    differences: ['zonal-names'],
  },
  keylessOption('startup_timeout', 'changed', 'none', STARTUP),
  ...['apiserver_qps', 'apiserver_burst', 'apiserver_max_inflight'].map((name) =>
    keylessOption(name, 'same', 'none', 'one watch for each kind; failures are retried with growing delays'),
  ),
  ...['resyncperiod', 'upstream', 'transfer'].map((name) =>
    keylessOption(name, 'same', 'none', "no longer an option of CoreDNS's plugin either"),
  ),
];

export const kubernetes: Plugin = {
  name: 'kubernetes',
  syntax: '`kubernetes [ZONE…]`',
  healthdns: '`zones: [{ name, kubernetes: {} }]`',
  note: 'reverse zones are `reverse`: in-addr.arpa and ip6.arpa by default',
  options: OPTIONS,
  migrate(directive, block) {
    const zones = directive.args.length > 0 ? directive.args.map(zoneName) : block.zones;
    const forward = zones.filter((zone) => !isReverse(zone));
    const reverse = zones.filter(isReverse).map(withoutDot);
    const cluster: Record<string, unknown> = {};
    applyOptions(kubernetes, directive, cluster, block);
    const multicluster = directive.lines
      .filter(({ name }) => name === 'multicluster')
      .flatMap(({ args }) => args.map(zoneName));
    const { ttlSeconds, ...settings } = cluster;
    for (const name of forward) {
      const isClusterSet = multicluster.includes(name);
      block.draft.zoneNames.add(withoutDot(name));
      block.draft.zones.set(withoutDot(name), {
        ...zoneFileOf(block, name),
        ...(ttlSeconds !== undefined && { ttlSeconds }),
        ...(!isUsual(reverse) && { reverse: isClusterSet ? [] : reverse }),
        kubernetes: { ...settings, ...(isClusterSet && { multicluster: true }) },
      });
    }
    block.comment('zones', directive);
    if (forward.length === 0) block.note(directive, 'dropped', 'contains no zone of a cluster, only reverse zones');
    else
      block.note(
        directive,
        'same',
        `zone ${forward.map(withoutDot).join(', ')}, answered with what is ready`,
        'dead-pod',
      );
  },
};

const EXTERNAL_OPTIONS: readonly Option[] = [
  { ...text('apex', 'APEX', 'apex'), healthdns: '`nameServers`, `soa`' },
  OPTIONS.find(({ name }) => name === 'ttl')!,
  keylessOption('headless', 'dropped', 'none', "pods' addresses are names of the cluster's zone"),
  { ...OPTIONS.find(({ name }) => name === 'fallthrough')! },
];

export const k8sExternal: Plugin = {
  name: 'k8s_external',
  syntax: '`k8s_external [ZONE…]`',
  healthdns: '`zones: [{ name, kubernetes: { externalAddresses: true } }]`',
  note: 'SERVICE.NAMESPACE.ZONE with externalIPs and the addresses of load balancers; without PTR records',
  options: EXTERNAL_OPTIONS,
  migrate(directive, block) {
    const zones = directive.args.length > 0 ? directive.args.map(zoneName) : block.zones;
    const cluster: Record<string, unknown> = {};
    applyOptions(k8sExternal, directive, cluster, block);
    const { ttlSeconds, apex = 'dns', ...settings } = cluster;
    const [first] = [...block.draft.zones.values()];
    const { kubeconfig, context } = (first?.kubernetes ?? {}) as Record<string, unknown>;
    const access = { ...(kubeconfig !== undefined && { kubeconfig }), ...(context !== undefined && { context }) };
    for (const name of zones.filter((zone) => !isReverse(zone))) {
      block.draft.zoneNames.add(withoutDot(name));
      block.draft.zones.set(withoutDot(name), {
        ...zoneFileOf(block, name),
        nameServers: [`ns1.${apex}`],
        soa: { mname: `ns1.${apex}`, rname: `hostmaster.${apex}` },
        ...(ttlSeconds !== undefined && { ttlSeconds }),
        kubernetes: { ...access, externalAddresses: true, ...settings },
      });
    }
    block.comment('zones', directive);
    block.note(directive, 'same', `external addresses of Services in ${zones.map(withoutDot).join(', ')}`);
  },
};

/** A zone may have a zone file as well. */
function zoneFileOf({ draft }: BlockContext, name: string): Record<string, unknown> {
  const file = draft.zones.get(withoutDot(name))?.file;
  return file === undefined ? {} : { file };
}

function isReverse(zone: string): boolean {
  return zone.endsWith('.arpa.') || zone.includes('/');
}

/** What a zone with `kubernetes` has by default. */
function isUsual(reverse: readonly string[]): boolean {
  return reverse.length === 2 && reverse.includes('in-addr.arpa') && reverse.includes('ip6.arpa');
}

function withoutDot(name: string): string {
  return name === '.' ? name : name.replace(/\.$/, '');
}
