// `forward` (https://coredns.io/plugins/forward/) → an entry of `forward`.
import { seconds, zoneNames } from './draft.ts';
import { applyOptions, count, duration, flag, keylessOption, list, type Option, type Plugin } from './plugin.ts';

const ADDRESSES = 'servers are addresses, queried over UDP, TCP and TLS; the system selects the source address';
const CONNECTIONS = 'at most 4 connections per server, kept while in use';

const OPTIONS: readonly Option[] = [
  list('except', 'NAME', 'except'),
  flag('force_tcp', 'forceTcp'),
  keylessOption('prefer_udp', 'same', 'always', 'servers are queried over UDP first, whatever the client used'),
  duration('expire', 'idleSeconds', { most: 3600, note: 'for TCP and TLS; UDP sockets live for 10 s at most' }),
  count('max_fails', 'maxFails', { most: 1000 }),
  count('max_concurrent', 'maxConcurrent', { unlimited: true, note: 'counted in each data thread' }),
  count('max_connect_attempts', 'attempts', { unlimited: true, most: 10 }),
  keylessOption('max_age', 'changed', 'none', CONNECTIONS),
  keylessOption('max_idle_conns', 'changed', 'none', CONNECTIONS),
  {
    name: 'policy',
    syntax: '`policy random\\|round_robin\\|sequential`',
    healthdns: '`policy`',
    outcome: 'same',
    apply([policy], target) {
      const known: Record<string, string> = { random: 'random', round_robin: 'round-robin', sequential: 'sequential' };
      if (policy === undefined || !(policy in known))
        return `\`policy\` is random, round_robin or sequential, not "${policy ?? ''}"`;
      target.policy = known[policy];
      return undefined;
    },
  },
  {
    name: 'health_check',
    syntax: '`health_check DURATION [no_rec] [domain FQDN]`',
    healthdns: '`healthCheck: { interval, recursionDesired, name }`',
    outcome: 'same',
    apply([duration, ...more], target) {
      const interval = seconds(duration);
      if (interval === undefined)
        return `\`health_check\` begins with a duration such as 500ms, not "${duration ?? ''}"`;
      const domain = more.indexOf('domain');
      target.healthCheck = {
        interval,
        ...(more.includes('no_rec') && { recursionDesired: false }),
        ...(domain >= 0 && more[domain + 1] !== undefined && { name: more[domain + 1] }),
      };
      return undefined;
    },
  },
  {
    name: 'tls',
    syntax: '`tls [CERT KEY] [CA]`',
    healthdns: '`tls: { cert, key, ca }`',
    outcome: 'same',
    apply(args, target) {
      const [cert, key, ca] = args.length === 1 ? [undefined, undefined, args[0]] : args;
      target.tls = { ...(target.tls as object | undefined), ...(cert && { cert, key }), ...(ca && { ca }) };
      return undefined;
    },
  },
  {
    name: 'tls_servername',
    syntax: '`tls_servername NAME`',
    healthdns: '`tls: { serverName }`',
    outcome: 'same',
    apply([serverName], target) {
      if (serverName === undefined) return '`tls_servername` has no server name';
      target.tls = { ...(target.tls as object | undefined), serverName };
      return undefined;
    },
  },
  flag('failfast_all_unhealthy_upstreams', 'failFast'),
  {
    name: 'failover',
    syntax: '`failover RCODE…`',
    healthdns: 'always',
    note: 'for SERVFAIL, REFUSED, FORMERR and NOTIMP; NXDOMAIN is an answer',
    outcome: 'changed',
    apply: (args) =>
      args.some((rcode) => rcode.toUpperCase() === 'NXDOMAIN')
        ? '`failover NXDOMAIN` has no equivalent: NXDOMAIN is an answer and is given to the client'
        : undefined,
  },
  {
    name: 'next',
    syntax: '`next RCODE…`',
    healthdns: '`next`',
    note: 'NXDOMAIN and SERVFAIL; other failures count as SERVFAIL',
    outcome: 'same',
    apply(args, target) {
      const known = args.map((rcode) => (rcode.toUpperCase() === 'NXDOMAIN' ? 'NXDOMAIN' : 'SERVFAIL'));
      target.next = [...new Set([...((target.next as string[] | undefined) ?? []), ...known])];
      return undefined;
    },
  },
  {
    name: 'next_on_nodata',
    syntax: '`next_on_nodata`',
    healthdns: '`next: [NODATA]`',
    outcome: 'same',
    apply(_args, target) {
      target.next = [...((target.next as string[] | undefined) ?? []), 'NODATA'];
      return undefined;
    },
  },
  keylessOption('resolver', 'dropped', 'none', ADDRESSES),
  keylessOption('doh_method', 'dropped', 'none', ADDRESSES),
  keylessOption('source_address', 'dropped', 'none', ADDRESSES),
];

export const forward: Plugin = {
  name: 'forward',
  syntax: '`forward FROM TO…`',
  healthdns: '`forward: [{ zone, to }]`',
  note: 'the longest matching zone decides, as with several server blocks',
  options: OPTIONS,
  migrate(directive, block) {
    const [from, ...to] = directive.args;
    if (from === undefined || to.length === 0) {
      block.note(directive, 'dropped', '`forward` needs a zone and at least one server');
      return;
    }
    const entry: Record<string, unknown> = {};
    const zone = from === '.' ? block.zones : zoneNames(from);
    const usable = to.filter((target) => !/^(https|quic|grpc):\/\//.test(target));
    applyOptions(forward, directive, entry, block);
    const servers = usable.map((target) => target.replace(/^dns:\/\//, ''));
    for (const name of from === '.' ? [undefined] : zone)
      block.draft.forward.push({ ...(name !== undefined && { zone: name.replace(/\.$/, '') }), to: servers, ...entry });
    block.comment('forward', directive);
    if (usable.length < to.length)
      block.note(
        directive,
        'dropped',
        `${to.filter((target) => !usable.includes(target)).join(', ')}: servers are asked over UDP, TCP and TLS only`,
      );
    block.note(
      directive,
      'same',
      `names at or below ${zone.join(', ')} are forwarded to ${servers.join(', ')}`,
      'recursion-available',
    );
  },
};
