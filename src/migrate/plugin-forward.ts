// `forward` (https://coredns.io/plugins/forward/) → an entry of `forward`.
import { seconds, zoneName } from './draft.ts';
import { applyOptions, type Option, type Plugin } from './plugin.ts';

const OPTIONS: readonly Option[] = [
  {
    name: 'except',
    syntax: '`except NAME…`',
    healthdns: '`except`',
    outcome: 'same',
    apply(args, target) {
      target.except = [...((target.except as string[] | undefined) ?? []), ...args];
      return undefined;
    },
  },
  {
    name: 'force_tcp',
    syntax: '`force_tcp`',
    healthdns: '`forceTcp: true`',
    outcome: 'same',
    apply(_args, target) {
      target.forceTcp = true;
      return undefined;
    },
  },
  {
    name: 'prefer_udp',
    syntax: '`prefer_udp`',
    healthdns: 'always',
    note: 'servers are asked over UDP first, whatever the client used',
    outcome: 'same',
  },
  {
    name: 'expire',
    syntax: '`expire DURATION`',
    healthdns: '`idleSeconds`',
    note: 'for TCP and TLS; UDP sockets live for 10 s at most',
    outcome: 'same',
    apply([duration], target) {
      const value = seconds(duration);
      if (value === undefined) return `\`expire\` is a duration such as 10s, not "${duration ?? ''}"`;
      target.idleSeconds = value;
      return undefined;
    },
  },
  {
    name: 'max_fails',
    syntax: '`max_fails N`',
    healthdns: '`maxFails`',
    outcome: 'same',
    apply: ([count], target) => number('max_fails', count, (value) => (target.maxFails = value)),
  },
  {
    name: 'max_concurrent',
    syntax: '`max_concurrent N`',
    healthdns: '`maxConcurrent`',
    note: 'counted in each data thread',
    outcome: 'same',
    apply([count], target) {
      // 0 is "no limit" in CoreDNS; here the limit of all entries together remains.
      if (count === '0') return undefined;
      return number('max_concurrent', count, (value) => (target.maxConcurrent = value));
    },
  },
  {
    name: 'max_connect_attempts',
    syntax: '`max_connect_attempts N`',
    healthdns: '`attempts`',
    outcome: 'same',
    apply([count], target) {
      if (count === '0') return undefined;
      return number('max_connect_attempts', count, (value) => (target.attempts = Math.min(value, 10)));
    },
  },
  ...['max_age', 'max_idle_conns'].map((name) => ({
    name,
    syntax: `\`${name}\``,
    healthdns: 'none',
    note: 'at most 4 connections to a server, kept while they are in use',
    outcome: 'changed' as const,
  })),
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
      if (serverName === undefined) return '`tls_servername` names no server';
      target.tls = { ...(target.tls as object | undefined), serverName };
      return undefined;
    },
  },
  {
    name: 'failfast_all_unhealthy_upstreams',
    syntax: '`failfast_all_unhealthy_upstreams`',
    healthdns: '`failFast: true`',
    outcome: 'same',
    apply(_args, target) {
      target.failFast = true;
      return undefined;
    },
  },
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
  ...['next', 'next_on_nodata'].map((name) => ({
    name,
    syntax: `\`${name}\``,
    healthdns: 'none',
    note: 'NXDOMAIN and NODATA are answers and are given to the client',
    outcome: 'dropped' as const,
  })),
  ...['resolver', 'doh_method', 'source_address'].map((name) => ({
    name,
    syntax: `\`${name}\``,
    healthdns: 'none',
    note: 'servers are addresses, asked over UDP, TCP and TLS from the address that the system chooses',
    outcome: 'dropped' as const,
  })),
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
    const zone = from === '.' ? block.zones : [zoneName(from)];
    const usable = to.filter((target) => !/^(https|quic|grpc):\/\//.test(target));
    const names = [
      ...new Set(usable.map((target) => /^tls:\/\/[^%]+%(.+)$/.exec(target)?.[1]).filter((name) => name !== undefined)),
    ];
    applyOptions(forward, directive, entry, block);
    if (names.length > 0) entry.tls = { ...(entry.tls as object | undefined), serverName: names[0] };
    const servers = usable.map((target) => target.replace(/^dns:\/\//, '').replace(/%.*$/, ''));
    for (const name of zone) {
      const isRoot = name === '.';
      block.draft.forward.push({ ...(!isRoot && { zone: name.replace(/\.$/, '') }), to: servers, ...entry });
    }
    block.comment('forward', directive);
    if (usable.length < to.length)
      block.note(
        directive,
        'dropped',
        `${to.filter((target) => !usable.includes(target)).join(', ')}: servers are asked over UDP, TCP and TLS only`,
      );
    if (names.length > 1)
      block.note(
        directive,
        'changed',
        `one \`tls.serverName\` for all servers of an entry: ${names.slice(1).join(', ')} needs an entry of its own`,
      );
    block.note(
      directive,
      'same',
      `names at or below ${zone.join(', ')} are asked of ${servers.join(', ')}`,
      'recursion-available',
    );
  },
};

function number(option: string, text: string | undefined, set: (value: number) => void): string | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return `\`${option}\` is a number, not "${text ?? ''}"`;
  set(Number(text));
  return undefined;
}
