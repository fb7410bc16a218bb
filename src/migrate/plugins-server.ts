// Plugins that set up the server itself: addresses, health, metrics, limits.
import { applyOptions, duration, keyless, type Plugin } from './plugin.ts';

export const bind: Plugin = {
  name: 'bind',
  syntax: '`bind ADDRESS…`, ports of server blocks',
  healthdns: '`listen`; `views: [{ listen }]` for further server blocks',
  options: [{ name: 'except', syntax: '`except ADDRESS…`', healthdns: 'none', outcome: 'dropped' }],
  migrate(directive, block) {
    const addresses = directive.args.filter((word) => /^[0-9a-f.:]+$/i.test(word) && /[.:]/.test(word));
    for (const address of addresses) for (const port of block.ports) block.draft.listen.add(socket(address, port));
    applyOptions(bind, directive, {}, block);
    block.comment('listen', directive);
    const interfaces = directive.args.filter((word) => !addresses.includes(word));
    if (interfaces.length > 0)
      block.note(
        directive,
        'dropped',
        `interfaces (${interfaces.join(', ')}) are written as their addresses in \`listen\``,
      );
    else block.note(directive, 'same', `answers on ${addresses.join(', ')}`);
  },
};

export const health: Plugin = {
  name: 'health',
  syntax: '`health [ADDRESS]`, `lameduck DURATION`',
  healthdns: '`/health` on `http`; `server.lameduckSeconds`',
  options: [{ ...duration('lameduck', 'lameduckSeconds', { most: 300 }), healthdns: '`server.lameduckSeconds`' }],
  migrate(directive, block) {
    applyOptions(health, directive, block.draft.server, block);
    httpAddress(directive.args[0] ?? ':8080', block.draft.http);
    block.comment('http', directive);
    block.note(directive, 'same', '`/health`, beside `/ready` and `/metrics` on each address of `http`');
  },
};

export const ready: Plugin = {
  name: 'ready',
  syntax: '`ready [ADDRESS]`',
  healthdns: '`/ready` on `http`',
  migrate(directive, block) {
    httpAddress(directive.args[0] ?? ':8181', block.draft.http);
    block.comment('http', directive);
    block.note(directive, 'same', '`/ready`, on each address of `http`');
  },
};

export const prometheus: Plugin = {
  name: 'prometheus',
  syntax: '`prometheus [ADDRESS]`',
  healthdns: '`/metrics` on `http`, `metrics: coredns`',
  migrate(directive, block) {
    httpAddress(directive.args[0] ?? 'localhost:9153', block.draft.http);
    block.draft.metrics.metrics = 'coredns';
    block.note(
      directive,
      'same',
      "`/metrics` on each address of `http`, with CoreDNS's metrics beside those of healthdns (see Metrics)",
    );
    block.comment('http', directive);
    block.comment('metrics', directive);
  },
};

export const bufsize: Plugin = {
  name: 'bufsize',
  syntax: '`bufsize [SIZE]`',
  healthdns: '`server.udpPayloadBytes`',
  migrate(directive, block) {
    const size = Number(directive.args[0] ?? 1232);
    if (!Number.isInteger(size) || size < 512 || size > 4096) {
      block.note(directive, 'dropped', `\`bufsize\` is 512 to 4096, not "${directive.args[0]}"`);
      return;
    }
    block.draft.server.udpPayloadBytes = size;
    block.comment('server', directive);
    block.note(directive, 'same', `UDP answers have at most ${size} bytes`);
  },
};

export const chaos: Plugin = {
  name: 'chaos',
  syntax: '`chaos [VERSION] [AUTHOR…]`',
  healthdns: '`server.versionBind`, `server.idServer`',
  migrate(directive, block) {
    const [version, ...authors] = directive.args;
    if (version !== undefined) block.draft.server.versionBind = version;
    block.draft.server.idServer = '{$HOSTNAME}';
    block.comment('server', directive);
    if (authors.length > 0) block.note(directive, 'dropped', '`authors.bind` is not answered');
    block.note(
      directive,
      'same',
      `${version === undefined ? '' : 'version.bind, '}id.server and hostname.bind; the host's name is the variable HOSTNAME, which Pods have`,
    );
  },
};

export const nsid: Plugin = {
  name: 'nsid',
  syntax: '`nsid [DATA]`',
  healthdns: '`nsid`',
  migrate(directive, block) {
    // Without an argument CoreDNS answers with the name of its host.
    block.draft.single.nsid = directive.args.join(' ') || '{$HOSTNAME}';
    block.comment('nsid', directive);
    block.note(directive, 'same', 'the identifier is sent to clients that ask for it');
  },
};

const NETWORK = String.raw`incidr\(\s*client_ip\(\)\s*,\s*'([^']+)'\s*\)`;

export const view: Plugin = {
  name: 'view',
  syntax: '`view NAME`, `expr incidr(client_ip(), CIDR)`',
  healthdns: '`views: [{ clients }]`',
  note: 'networks of clients, joined with `||`; no other expressions',
  options: [{ name: 'expr', syntax: '`expr EXPRESSION`', healthdns: '`clients`', outcome: 'same' }],
  migrate(directive, block) {
    for (const line of directive.lines) {
      const text = line.args.join(' ');
      const isNetworks = new RegExp(`^${NETWORK}(\\s*\\|\\|\\s*${NETWORK})*$`).test(text);
      if (line.name === 'expr' && isNetworks) {
        block.draft.clients.push(...[...text.matchAll(new RegExp(NETWORK, 'g'))].map(([, network]) => network));
        block.note(line, 'same', `clients in ${block.draft.clients.join(', ')}`);
      } else block.note(line, 'dropped', 'a view is chosen by networks of clients only: write them as `clients`');
    }
    block.draft.view = directive.args[0];
    block.comment('clients', directive);
    block.note(directive, 'same', 'a view of its own');
  },
};

export const errors: Plugin = {
  name: 'errors',
  syntax: '`errors`',
  healthdns: 'always',
  note: 'on stderr as JSON; `logLevel`',
  options: [
    {
      name: 'consolidate',
      syntax: '`consolidate DURATION REGEX [LEVEL]`',
      healthdns: 'always',
      note: 'one line when a server goes down, comes back or loops, not one for each query',
      outcome: 'same',
    },
    {
      name: 'stacktrace',
      syntax: '`stacktrace`',
      healthdns: 'always',
      note: 'for failures that are bugs',
      outcome: 'same',
    },
  ],
  migrate(directive, block) {
    applyOptions(errors, directive, {}, block);
    block.note(directive, 'same', 'always: on stderr as JSON; `logLevel`');
  },
};

/** What CoreDNS's plugin answers of RFC 6761 and RFC 6303: addresses of localhost, and nothing below. */
export const local: Plugin = {
  name: 'local',
  syntax: '`local`',
  healthdns: '`hosts`, `templates`',
  note: 'localhost and its reverse name; NXDOMAIN for other names in 0, 127 and 255.in-addr.arpa',
  migrate(directive, block) {
    block.draft.hosts.entries.push(
      { address: '127.0.0.1', names: ['localhost'] },
      { address: '::1', names: ['localhost'] },
    );
    for (const zone of ['localhost', '0.in-addr.arpa', '127.in-addr.arpa', '255.in-addr.arpa'])
      block.draft.templates.push({ zone, rcode: 'NXDOMAIN' });
    block.comment('templates', directive);
    block.note(directive, 'same', 'localhost has its addresses');
  },
};

export const timeouts: Plugin = {
  name: 'timeouts',
  syntax: '`timeouts`',
  healthdns: '`limits.tcpIdleSeconds`, `limits.tcpTotalSeconds`',
  options: [
    { name: 'read', syntax: '`read DURATION`', healthdns: '`limits.tcpIdleSeconds`', outcome: 'changed' },
    { name: 'write', syntax: '`write DURATION`', healthdns: '`limits.tcpIdleSeconds`', outcome: 'changed' },
    {
      ...duration('idle', 'tcpIdleSeconds', { least: 0.1, most: 3600 }),
      healthdns: '`limits.tcpIdleSeconds`',
    },
  ],
  migrate(directive, block) {
    applyOptions(timeouts, directive, block.draft.limits, block);
    block.note(directive, 'same', 'limits of TCP connections');
  },
};

export const loadbalance: Plugin = {
  name: 'loadbalance',
  syntax: '`loadbalance [round_robin\\|weighted FILE]`',
  healthdns: '`loadbalance`, always for `zones`; `routing: weighted` of a service',
  options: [
    {
      name: 'reload',
      syntax: '`reload DURATION`',
      healthdns: 'none',
      note: 'weights are part of the configuration',
      outcome: 'dropped',
    },
    {
      name: 'prefer',
      syntax: '`prefer CIDR…`',
      healthdns: 'none',
      note: 'all addresses are alive, and clients choose (RFC 6724)',
      outcome: 'dropped',
    },
  ],
  migrate(directive, block) {
    applyOptions(loadbalance, directive, {}, block);
    if (directive.args[0] === 'weighted')
      block.note(
        directive,
        'dropped',
        '`weighted FILE`: weights belong to the instances of a service with `routing: weighted`',
      );
    else block.note(directive, 'same', 'addresses take turns in being the first');
  },
};

export const loop: Plugin = {
  ...keyless(
    'loop',
    'changed',
    '`loopDetection`',
    'a looping server is not used; the process keeps running, whereas CoreDNS exits',
  ),
};

export const reload: Plugin = {
  ...keyless(
    'reload',
    'same',
    '`healthdns serve --watch`, and SIGHUP',
    'the manifests have `--watch`; an invalid file is rejected and the running configuration stays',
  ),
};

/** The name of a plugin without any equivalent, with what to do. */
const WITHOUT_EQUIVALENT: Record<string, string> = {
  auto: 'write each file as `file` of a zone',
  azure: 'register the services with the Cloud Map API',
  clouddns: 'register the services with the Cloud Map API',
  debug: '`logLevel: debug`',
  dnssec: 'sign the zone elsewhere',
  dnstap: 'set `dnstap: { to }`',
  dynupdate: 'register the services with the Cloud Map API',
  erratic: 'a plugin for tests',
  etcd: 'register the services with the Cloud Map API',
  geoip: 'no answers by location',
  grpc: 'clients ask over UDP and TCP',
  header: 'flags follow the RFCs: AA for own zones, RA where anything is forwarded',
  https: 'clients ask over UDP and TCP',
  metadata: 'nothing uses it here',
  minimal: 'answers are minimal: additional records only for SRV, MX and referrals',
  nomad: 'register the services with the Cloud Map API',
  pprof: '`node --cpu-prof` profiles a process',
  quic: 'clients ask over UDP and TCP',
  route53: 'register the services with the Cloud Map API',
  secondary: 'no zone transfers',
  sign: 'sign the zone elsewhere',
  tls: 'clients ask over UDP and TCP',
  trace: '`queryLog`',
  transfer: 'no zone transfers',
  tsig: 'signatures are ignored',
  whoami: 'a plugin for tests: the query log shows who asks',
};

export const others: readonly Plugin[] = [
  keyless('any', 'changed', 'always', 'RFC 8482, for names of `zones` only: forwarded names are asked upstream'),
  keyless('cancel', 'same', '`forward[].deadlineSeconds`'),
  keyless('multisocket', 'changed', '`threads`'),
  keyless('import', 'same', 'read in place', 'the content of imported files is part of zones.yaml'),
  ...Object.entries(WITHOUT_EQUIVALENT).map(([name, note]) => keyless(name, 'dropped', 'none', note)),
];

function httpAddress(text: string, addresses: Set<string>): void {
  addresses.add(text);
}

function socket(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
