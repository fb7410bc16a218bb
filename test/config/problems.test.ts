// Each mistake with the exact place and words that a person gets.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';

/** The keys of the file, as its JSON Schema lists them. */
const KEYS = Object.keys(JSON.parse(readFileSync('zones.schema.json', 'utf8')).properties).join(', ');

/** "line:column message" of each problem; warnings begin with "warning". */
async function report(text: string): Promise<string[]> {
  const result = await parseConfig(text, 'zones.yaml');
  const problems = result.ok ? [] : result.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  return [...problems, ...result.warnings.map(({ line, column, message }) => `${line}:${column} warning: ${message}`)];
}

function says(what: string, text: string, expected: string[]): void {
  test(what, async () => assert.deepEqual(await report(text), expected));
}

/** A file whose only zone is `b.local` with these lines (indented by 4). */
const zone = (...lines: string[]) => ['zones:', '  - name: b.local', ...lines.map((line) => `    ${line}`)].join('\n');
/** … whose only service is `api` with these lines (indented by 8), in line 4 and after. */
const service = (...lines: string[]) => zone('services:', '  - name: api', ...lines.map((line) => `    ${line}`));
const alive = 'instances: [{ id: a, ipv4: 192.0.2.1, port: 80 }]';
const check = (text: string) => service(alive, `healthCheck: ${text}`);
const record = (text: string) => zone('records:', `  - ${text}`);

says('a valid file has no problems', service(alive), []);
says('an empty file is reported as empty', '# nothing\n', [
  '1:1 the file is empty: expected `zones` (see zones.example.yaml)',
]);
says('a file that is a list is rejected', '- a', [
  '1:1 the file: expected a mapping with keys such as $schema, listen, http, got a list',
]);
says('a file that only forwards is accepted', 'forward: [{ to: 192.0.2.53 }]', []);
says('a file without zones is rejected', 'http: false', [
  '1:1 `zones` is missing: expected at least one zone to answer for',
]);

// YAML itself
says('a tab as indentation is rejected', 'zones:\n\t- name: x', ['2:1 Tabs are not allowed as indentation']);
says('a duplicate key is rejected where it is repeated', 'http: false\nhttp: false\n', [
  '2:1 duplicate key `http`: it is already in this mapping',
]);
says('a second document is rejected', 'zones: []\n---\nzones: []', [
  '2:1 only one YAML document is allowed in the file: remove this `---` and what follows it',
]);
says('an alias without anchor is rejected', 'zones: *all', ['1:8 alias *all has no anchor &all before it']);
says('an alias that contains itself is rejected', 'zones: &all [*all]', ['1:14 alias *all contains itself']);
says('an unknown tag is rejected', 'http: !env HTTP', ['1:7 unknown tag !env: remove it, or put the value in quotes']);
says('a key that is a number is rejected', '53: x', ['1:1 expected a word as key, got 53: put it in quotes']);
says('a key that is a list is rejected', '? [a]\n: x', ['1:3 expected a word as key, got a list or mapping']);
says('a merge of something other than a mapping is rejected', '<<: 5', [
  '1:5 `<<` merges mappings: expected an alias such as `<<: *defaults`',
]);

// Keys
says('an unknown key is rejected with a suggestion', service(alive, 'heathCheck: { type: tcp }'), [
  '6:9 unknown key `heathCheck`, did you mean `healthCheck`?',
]);
says('every unknown key of a mapping is reported', `logLvel: x\nconstructor: x\n__proto__: x\n${zone()}`, [
  '1:1 unknown key `logLvel`, did you mean `logLevel`?',
  `2:1 unknown key \`constructor\`; known here: ${KEYS}`,
  `3:1 unknown key \`__proto__\`; known here: ${KEYS}`,
]);
says('a misspelled required key is one problem', 'zones:\n  - nmae: b.local', [
  '2:5 unknown key `nmae`, did you mean `name`?',
]);
says('a shorthand key is suggested in full', zone('ttl: 5'), ['3:5 unknown key `ttl`, did you mean `ttlSeconds`?']);
says('a missing key is reported at its mapping', service('instances:', '  - ipv4: 192.0.2.1'), [
  '6:13 `id` is missing: expected an instance id (1 to 63 letters, digits, hyphens or underscores)',
]);
says('a mapping without a value is rejected', zone('kubernetes:'), [
  '3:5 `kubernetes`: is empty: remove it, or write {} for the defaults',
]);
says('a list without a value is empty', zone('records:', 'services:'), []);
says('a number in quotes is not a number', zone('ttlSeconds: "5"'), [
  '3:17 `ttlSeconds`: expected a whole number from 0 to 2147483647, got "5" in quotes: remove the quotes',
]);
says('text that YAML parses as a number is rejected', record('{ name: x, type: TXT, value: 42 }'), [
  '4:38 `value`: expected a value, got 42: put it in quotes, "42"',
]);
says('quotes are not suggested where a text would be refused as well', `zones: 3\nlogLevel: 3\nhttp: 8053`, [
  '1:8 `zones`: expected a list, got 3',
  '2:11 `logLevel`: expected one of debug, info, warn, error, silent, got 3',
  '3:7 `http`: expected ADDRESS:PORT such as "127.0.0.1:53" or "[::]:53", or false, got 8053',
]);
says('control characters of the file do not reach the terminal', 'http: "\\e[31mred\\u202e"', [
  '1:1 `zones` is missing: expected at least one zone to answer for',
  '1:7 `http`: expected ADDRESS:PORT such as "127.0.0.1:53" or "[::]:53", got "\\u001b[31mred\\u202e"',
]);

// Addresses
const LISTEN = 'expected ADDRESS:PORT such as "127.0.0.1:53" or "[::]:53", got';
const listen = (text: string) => `listen: ["${text}"]\n${zone()}`;
for (const [text, hint] of [
  ['127.0.0.1', ': write 127.0.0.1:53'],
  ['2001:db8::a', ': write [2001:db8::a]:53'],
  ['::1:53', ': write [::1]:53'],
  ['53', ': write 127.0.0.1:53'],
  [':53', ': for all addresses write 0.0.0.0:53 and [::]:53'],
  ['localhost:53', ': "localhost" is not an IPv4 address (names are not looked up)'],
  ['[1.2.3.4]:53', ': "1.2.3.4" is not an IPv6 address'],
  ['1.2.3.4:65536', ': a port is at most 65535'],
  ['udp://x', ''],
])
  says(`listen: ${text} is refused`, listen(text), [`1:10 \`listen[0]\`: ${LISTEN} "${text}"${hint}`]);
says('a duplicate listen address is rejected', `listen: ["[::1]:53", "[0::1]:53"]\n${zone()}`, [
  '1:22 duplicate address [::1]:53',
]);
says('DNS and HTTP at one address are rejected', `listen: 127.0.0.1:53\nhttp: 127.0.0.1:53\n${zone()}`, [
  '2:7 `http`: 127.0.0.1:53 already serves DNS over TCP (see `listen`): expected another port',
]);
says('admin on an address of listen or http is rejected', `admin: 127.0.0.1:8053\n${zone()}`, [
  '1:8 `admin`: 127.0.0.1:8053 is an address of `listen` or `http`: expected another port',
]);
says('admin on a public address requires a token', `admin: 0.0.0.0:8054\n${zone()}`, [
  '1:8 `admin`: everyone who can reach 0.0.0.0:8054 could read and write: use a loopback address, or set `adminToken` or `tls.clientCa`',
]);
says('admin with a token may be on any address', `admin: 0.0.0.0:8054\nadminToken: ./token\n${zone()}`, []);
says(
  'a Cloud Map API that is served nowhere is warned of',
  `http: 0.0.0.0:8053\ncloudMap: { store: memory }\n${zone()}`,
  ['2:11 warning: the API is not served: `http` is not loopback, so set `admin`'],
);
says('an empty list of addresses is rejected', `listen: []\n${zone()}`, [
  '1:9 `listen`: expected at least one ADDRESS:PORT such as "127.0.0.1:53" or "[::]:53"',
]);
says('numbers out of range are rejected', `threads: 0\n${zone('maxAnswers: -1')}`, [
  '1:10 `threads`: expected a whole number from 1 to 64, got 0',
  '4:17 `maxAnswers`: expected a whole number from 0 to 65535, got -1',
]);

// Zones
says('an invalid zone name is rejected', 'zones: [{ name: a..b }]', ['1:17 `name`: name "a..b" has an empty label']);
says('a label of more than 63 bytes is rejected', `zones: [{ name: ${'a'.repeat(64)}.b }]`, [
  `1:17 \`name\`: name "${'a'.repeat(64)}.b" has a label of 64 bytes, at most 63 are allowed`,
]);
says('@ is not a zone name', 'zones: [{ name: "@" }]', [
  '1:17 `name`: expected a zone name such as production.local, got "@"',
]);
says('a network whose length is not at a label is rejected', 'zones: [{ name: 10.0.0.0/9 }]', [
  '1:17 `name`: expected a network with a length that is a multiple of 8 (IPv4) or 4 (IPv6), such as 10.0.0.0/8, got "10.0.0.0/9"',
]);
says('two zones with one name are rejected', 'zones: [{ name: b.local }, { name: B.local. }]', [
  '1:36 duplicate zone b.local.: same as zones[0]; merge them',
]);
says('nested zones are accepted', 'zones: [{ name: b.local }, { name: a.b.local }]', []);
says('name templates are checked', zone('names: ["{servce}", "x", "{service", "{service}.", "a..{service}"]'), [
  '3:13 `names[0]`: unknown placeholder "{servce}" in "{servce}", did you mean {service}?',
  '3:30 `names[2]`: "{service" has an unmatched brace',
  '3:42 `names[3]`: "{service}." must be relative to the zone: remove the dot at the end',
  '3:56 `names[4]`: "a..{service}" is not a name template: name "a..x" has an empty label',
]);
says('a zone template without {service} is rejected', zone('names: ["x"]'), [
  '3:13 "x" gives every service of the zone one name: expected {service} in it',
]);
says('a Kubernetes zone whose namespaces share names is a warning', zone('names: ["{service}"]', 'kubernetes: {}'), [
  '3:13 warning: "{service}" gives services of different namespaces one name: the older service keeps it',
]);
says('an invalid choice is rejected with a suggestion', zone('whenAllUnhealthy: nodta'), [
  '3:23 `whenAllUnhealthy`: expected one of nodata, nxdomain, servfail, all, got "nodta", did you mean nodata?',
]);

// Records
says('an invalid address is rejected', record('{ name: x, type: A, value: 192.0.2 }'), [
  '4:36 A value must be `IPv4 address`, got "192.0.2": IPv4 address must be like 192.0.2.1',
]);
says('a value that does not fit its type is rejected', record('{ name: x, type: MX, value: mail }'), [
  '4:37 MX value must be `preference exchange`, got "mail": preference must be a number from 0 to 65535',
]);
says('an unknown record type is rejected with a suggestion', record('{ name: x, type: AAA, value: y }'), [
  '4:26 `type`: unknown record type "AAA", did you mean AAAA?',
]);
says('SOA is not allowed as a static record', record('{ name: x, type: SOA, value: y }'), [
  "4:26 `type`: SOA is not written as a record: use the zone's `soa`",
]);
says("the zone's own NS are not allowed as static records", record('{ name: "@", type: NS, value: y }'), [
  "4:28 the zone's own NS records are written as its `nameServers`",
]);
says('a record of another zone is rejected', record('{ name: x.other., type: A, value: 192.0.2.1 }'), [
  '4:17 record `x.other.` is not in zone b.local.: remove the dot at its end, or move it to its own zone',
]);
says('a missing trailing dot is a warning', record('{ name: x.b.local, type: A, value: 192.0.2.1 }'), [
  '4:17 warning: record `x.b.local` becomes x.b.local.b.local.: names are relative to the zone unless they end with a dot',
]);
says(
  'a CNAME beside other records is rejected',
  zone('records:', '  - { name: w, type: A, value: 192.0.2.1 }', '  - { name: W, type: CNAME, value: x }'),
  [
    '5:26 w.b.local. has a CNAME beside other records: a CNAME must be the only record of its name (RFC 1034 section 3.6.2)',
  ],
);
says('two CNAMEs at a name are rejected', record('{ name: w, type: CNAME, value: [x, y] }'), [
  '4:26 w.b.local. has more than one CNAME: a CNAME must be the only record of its name (RFC 1034 section 3.6.2)',
]);
says('two DNAMEs at a name are rejected', record('{ name: w, type: DNAME, value: [x, y] }'), [
  '4:26 w.b.local. has more than one DNAME: only one is allowed (RFC 6672 section 2.4)',
]);
says(
  'a DNAME beside NS is rejected',
  zone('records:', '  - { name: w, type: NS, value: ns.other. }', '  - { name: w, type: DNAME, value: x }'),
  ['5:26 w.b.local. has a DNAME beside NS: names below it are either redirected or delegated (RFC 6672 section 2.3)'],
);
says('a CNAME at the apex is rejected', record('{ name: "@", type: CNAME, value: x }'), [
  "4:28 a CNAME cannot stand at the zone's own name, where SOA and NS are (RFC 1034 section 3.6.2)",
]);
says("the zone's own NS are not allowed as static records of TYPE2", record('{ name: "@", type: TYPE2, value: y }'), [
  "4:28 the zone's own NS records are written as its `nameServers`",
]);
says('a wildcard cannot be delegated, not even as TYPE2', record('{ name: "*", type: type2, value: y }'), [
  '4:28 a wildcard cannot be delegated (RFC 4592 section 4.2): list each name separately',
]);
says('a CNAME written as TYPE5 is a CNAME', record('{ name: "@", type: TYPE5, value: x }'), [
  "4:28 a CNAME cannot stand at the zone's own name, where SOA and NS are (RFC 1034 section 3.6.2)",
]);
says(
  'a CNAME beside other records is rejected, as TYPE5 beside TYPE1 too',
  zone('records:', '  - { name: w, type: TYPE1, value: 192.0.2.1 }', '  - { name: W, type: TYPE5, value: x }'),
  [
    '5:26 w.b.local. has a CNAME beside other records: a CNAME must be the only record of its name (RFC 1034 section 3.6.2)',
  ],
);
says('SOA written as TYPE6 is not allowed as a static record', record('{ name: x, type: TYPE6, value: y }'), [
  "4:26 `type`: SOA is not written as a record: use the zone's `soa`",
]);
says(
  'a name server in the zone without an address is warned of',
  zone('nameServers: [ns1, ns2, ns.other.]', 'records:', '  - { name: ns2, type: TYPE28, value: "2001:db8::1" }'),
  [
    '3:19 warning: the name server ns1.b.local. has no A or AAAA record: it is answered with the addresses that healthdns listens on; add a record with the address that clients reach it at',
  ],
);
says(
  'a name server below a delegation without an address is a problem',
  zone('nameServers: [ns.sub]', 'records:', '  - { name: sub, type: NS, value: ns.other. }'),
  [
    '3:19 warning: the name server ns.sub.b.local. has no A or AAAA record, and none is generated, because sub.b.local. is delegated',
  ],
);
says(
  'records below a DNAME, which occludes them, are warned of',
  zone(
    'records:',
    '  - { name: old, type: DNAME, value: new.example. }',
    '  - { name: www.old, type: A, value: 192.0.2.1 }',
    '  - { name: old, type: A, value: 192.0.2.2 }',
    '  - { name: fold, type: A, value: 192.0.2.3 }',
  ),
  [
    '5:17 warning: www.old.b.local. A is never answered: the DNAME of old.b.local. redirects all names below it (RFC 6672)',
  ],
);
says(
  'a delegation to a name server below it without an address is warned of, with one it is not',
  zone(
    'records:',
    '  - { name: sub, type: NS, value: [ns.sub, sub, ns.other.sub, ns, ns.other.] }',
    '  - { name: ns.other.sub, type: AAAA, value: "2001:db8::1" }',
  ),
  [
    '4:40 warning: sub.b.local. is delegated to ns.sub.b.local., which is inside of it and has no A or AAAA record: that server is unreachable; add its address as a record (glue)',
    '4:48 warning: sub.b.local. is delegated to sub.b.local., which is inside of it and has no A or AAAA record: that server is unreachable; add its address as a record (glue)',
  ],
);
says(
  'an address by a service or in a zone of the file below is enough for a delegation',
  `${zone(
    'records:',
    '  - { name: sub, type: NS, value: ns.sub }',
    '  - { name: child, type: NS, value: ns.child }',
    'names: ["{service}.sub"]',
    'services: [{ name: ns, instances: [{ id: a, ipv4: 192.0.2.1 }] }]',
  )}\n  - { name: child.b.local }\n`,
  [],
);
says(
  'different TTLs of one name and type are warned of',
  zone(
    'records:',
    '  - { name: w, type: A, value: 192.0.2.1, ttlSeconds: 9 }',
    '  - { name: w, type: A, value: 192.0.2.2 }',
  ),
  ['5:26 warning: w.b.local. A: records of one name and type share one TTL (RFC 2181 section 5.2): the lowest is used'],
);

// Services
says(
  'two services with one name and namespace are rejected',
  zone('services:', `  - { name: a, ${alive} }`, `  - { name: A, ${alive} }`),
  ['5:17 duplicate service `A` in namespace default: same as services[0]; add its instances there'],
);
says(
  'services that claim one name are warned of',
  zone('services:', `  - { name: a, ${alive} }`, `  - { name: a, namespace: n, ${alive} }`),
  ['5:17 warning: service `a` is not answered at a.b.local.: service `a` of namespace default has that name'],
);
says(
  'two instances with one id are rejected, also beside other problems',
  service('instances:', '  - { id: a, ipv4: 192.0.2.1 }', '  - { id: a, ipv4: 192.0.2.2, port: 0 }'),
  [
    '7:19 duplicate instance id `a`: instances[0] already has it',
    '7:45 `port`: expected a whole number from 1 to 65535, got 0',
  ],
);
says('an instance without an address is rejected', service('instances: [{ id: a }]'), [
  '5:21 instance `a` has no address: expected `ipv4`, `ipv6` or both',
]);
says('a record without values is refused', record('{ name: x, type: A, value: [] }'), [
  '4:36 `value`: expected at least one value',
]);
says('a record with a list of one value is fine', record('{ name: x, type: A, value: [192.0.2.1] }'), []);
says('an address of the other family is rejected', service('instances: [{ id: a, ipv4: "2001:db8::1" }]'), [
  '5:36 `ipv4`: expected an IPv4 address such as 10.0.0.7, got "2001:db8::1", which is IPv6: write it as `ipv6`',
]);
says(
  'an address that is not IPv6 is rejected with an example of one',
  service('instances: [{ id: a, ipv6: 10.0.0.1 }]'),
  ['5:36 `ipv6`: expected an IPv6 address such as 2001:db8::7, got "10.0.0.1", which is IPv4: write it as `ipv4`'],
);
says('an id that is not a label is rejected', service('instances: [{ id: a.b, ipv4: 192.0.2.1 }]'), [
  '5:27 `id`: expected letters, digits, hyphens or underscores (no hyphen at either end), got "a.b"',
]);
says('a service without instances is a warning', service('ports: [80]'), [
  '4:9 warning: service `api` has no instances: its name has no records',
]);
says('two ports with one name are rejected', service(alive, 'ports: [{ name: a, port: 1 }, { name: A, port: 2 }]'), [
  '6:39 duplicate port name `a` (tcp): SRV names must differ',
]);
says('a list of attributes is rejected', service('instances: [{ id: a, ipv4: 192.0.2.1, attributes: [x] }]'), [
  '5:59 `attributes`: expected a mapping of words to texts, got a list',
]);

// Health checks
says(
  'each time of a check has its range',
  check('{ type: tcp, interval: 301, timeout: 0, retries: 11, startPeriod: -1 }'),
  [
    '6:45 `interval`: expected a number of seconds from 1 to 300, got 301',
    '6:59 `timeout`: expected a number of seconds from 0.1 to 60, got 0',
    '6:71 `retries`: expected a whole number from 1 to 10, got 11',
    '6:88 `startPeriod`: expected a number of seconds from 0 to 300, got -1',
  ],
);
says('a timeout longer than the interval is a warning', check('{ type: tcp, interval: 5, timeout: 6 }'), [
  '6:57 warning: `timeout` (6 s) is longer than `interval` (5 s): a check that hangs delays the next one',
]);
says(
  'a check that nothing tells the port of is rejected',
  service('instances: [{ id: a, ipv4: 192.0.2.1 }]', 'healthCheck: { type: http }'),
  ['5:21 instance `a` has no port to check: add a `port` to it or to its healthCheck'],
);
says('keys of another check type are rejected', check('{ type: tcp, path: /x, command: [CMD, x] }'), [
  '6:41 `path` has no effect on a check of type tcp: remove it',
  '6:54 `command` has no effect on a check of type tcp: remove it',
]);
says('an exec check requires a command', check('{ type: exec }'), [
  '6:22 `command` is missing: a check of type exec needs ["CMD", program, argument, …] or ["CMD-SHELL", line]',
]);
const COMMAND = '6:45 `command`: ';
for (const [command, message] of [
  [
    '[curl, x]',
    'expected ["CMD", program, argument, …] or ["CMD-SHELL", line], got a list that begins with "curl": put "CMD" in front',
  ],
  [
    '[]',
    'expected ["CMD", program, argument, …] or ["CMD-SHELL", line], got a list that begins with nothing: put "CMD" in front',
  ],
  ['[NONE]', 'NONE switches the check off: remove `healthCheck` instead'],
  ['[CMD]', 'nothing to run after "CMD"; expected ["CMD", program, argument, …] or ["CMD-SHELL", line]'],
  ['[CMD-SHELL, a, b]', '"CMD-SHELL" takes one line, got 2 texts; use "CMD" for separate arguments'],
  ['" "', 'expected a shell line, got an empty text'],
])
  says(`command: ${command} is refused`, check(`{ type: exec, command: ${command} }`), [COMMAND + message]);
says('an inverted expectedStatus range is rejected', check('{ type: http, expectedStatus: [300, 200] }'), [
  '6:52 `expectedStatus`: the lowest (300) is greater than the highest (200)',
]);
says(
  "an instance's check needs a type from somewhere",
  service('instances: [{ id: a, ipv4: 192.0.2.1, port: 1, healthCheck: { interval: 5 } }]'),
  ['5:69 `type` is missing: expected one of http, https, tcp, exec'],
);

// Kubernetes
says('the same cluster twice is rejected', zone('kubernetes: [{}, {}]'), [
  '3:22 duplicate kubernetes source: the same cluster is already in this zone',
]);
for (const key of ['namespaceLabels', 'labels'])
  says(
    `an empty selector in ${key}, which the API server takes for all, is refused`,
    zone(`kubernetes: { ${key}: " " }`),
    [`3:${21 + key.length} \`${key}\`: the label selector is empty`],
  );
says('a missing kubeconfig is a warning', zone('kubernetes: { kubeconfig: /nowhere/kubeconfig }'), [
  '3:31 warning: kubeconfig /nowhere/kubeconfig cannot be read: the zone is not ready until it can',
]);

says('a snapshot in a missing folder is a warning', zone('kubernetes: { snapshot: { file: /nowhere/s } }'), [
  '3:37 warning: snapshot /nowhere/s cannot be written: the folder /nowhere does not exist',
]);
says('a snapshot path that is a folder is a warning', zone('kubernetes: { snapshot: { file: /tmp } }'), [
  '3:37 warning: snapshot /tmp cannot be written: it is a folder',
]);
says(
  'a snapshot shared by two sources is rejected, in one zone and in two',
  `zones:
  - { name: a, kubernetes: { snapshot: { file: s } } }
  - name: b
    kubernetes:
      - { namespaces: [x], snapshot: { file: other } }
      - { namespaces: [y], snapshot: { file: ./s } }
      - { namespaces: [z], snapshot: { file: ./other } }
`,
  [
    `6:46 snapshot ${resolve('s')} is already used by zones[0].kubernetes: expected a separate file`,
    `7:46 snapshot ${resolve('other')} is already used by zones[1].kubernetes[0]: expected a separate file`,
  ],
);
says('the snapshot of an invalid source is not checked', zone('kubernetes: [x, { snapshot: 5 }]'), [
  '3:18 `kubernetes[0]`: expected a mapping with keys such as kubeconfig, context, ttlSeconds, got "x"',
  '3:33 `snapshot`: expected a mapping with keys such as file, maxAgeSeconds, got 5',
]);

test('problems in several places are all reported, in file order', async () => {
  const text = `listen: nowhere\n${zone('ttl: 1', 'records: [{ name: x, type: A, value: y }]', 'services: 7', 'kubernetes: { pods: all }')}`;
  assert.deepEqual(
    (await report(text)).map((line) => line.split(' ')[0]),
    ['1:9', '4:5', '5:42', '6:15', '7:25'],
  );
});
