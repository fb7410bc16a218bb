// Names that are forwarded: the upstream server's zone, and when two answers of it are the same.
import type { Answer, AnswerRecord } from '../../../src/shadow/answers/answer.ts';

/** Authoritative for the root, so that every name has one answer. */
export const UPSTREAM_ZONE = [
  '. 3600 SOA a. b. 1 3600 600 86400 60',
  '. 3600 NS a.',
  'a. 3600 A 127.0.0.1',
  'www.example.org. 300 A 192.0.2.10',
  'www.example.org. 300 A 192.0.2.11',
  'www.example.org. 300 AAAA 2001:db8::10',
  'v4.example.org. 300 A 192.0.2.12',
  'short.example.org. 2 A 192.0.2.13',
  'alias.example.org. 300 CNAME www.example.org.',
  'chain.example.org. 300 CNAME alias.example.org.',
  'dangling.example.org. 300 CNAME nowhere.example.org.',
  'example.org. 300 MX 10 mail.example.org.',
  'mail.example.org. 300 A 192.0.2.14',
  'txt.example.org. 300 TXT "one" "two"',
  '_sip._udp.example.org. 300 SRV 1 2 5060 www.example.org.',
  ...Array.from({ length: 40 }, (_, i) => `big.example.org. 300 TXT "${'x'.repeat(60)}${i}"`),
  'www.corp.example. 120 A 192.0.2.20',
  'target.example.org. 300 CNAME db.corp.example.',
  'db.corp.example. 120 A 192.0.2.21',
  'vm.internal.cloudapp.net. 60 A 192.0.2.30',
  'a.b.c.d.internal.cloudapp.net. 60 A 192.0.2.31',
  'node-1.internal. 60 A 192.0.2.32',
  'web.prod.svc.cluster.local. 5 A 10.96.1.1',
  '9.9.9.9.in-addr.arpa. 300 PTR dns.example.org.',
].join('\n');

const TYPES = ['A', 'AAAA', 'MX', 'TXT', 'SRV', 'CNAME', 'PTR', 'HINFO', 'NS', 'TYPE65'];

export const EXTERNAL_NAMES: readonly string[] = [
  ...[
    'www',
    'v4',
    'short',
    'alias',
    'chain',
    'dangling',
    'mail',
    'txt',
    '_sip._udp',
    'big',
    'none',
    'target',
    'WWW',
  ].map((label) => `${label}.example.org.`),
  ...[
    'example.org.',
    'www.dev.example.org.',
    'none.dev.example.org.',
    'www.corp.example.',
    'db.corp.example.',
    'none.corp.example.',
  ],
  ...[
    'vm.internal.cloudapp.net.',
    'a.b.c.d.internal.cloudapp.net.',
    'x.y.a.b.c.d.internal.cloudapp.net.',
    'node-1.internal.',
  ],
  ...[
    'host.minikube.internal.',
    'k3s-node.',
    'api.internal.k8s.local.',
    'none.k8s.local.',
    'outside.example.',
    'absent.',
  ],
  ...['9.9.9.9.in-addr.arpa.', '8.9.9.9.in-addr.arpa.', '77.2.0.192.in-addr.arpa.'],
];

export const externalQuestions = (names: readonly string[]): { readonly name: string; readonly type: string }[] =>
  names.flatMap((name) => TYPES.map((type) => ({ name, type })));

/** `elapsedSeconds`: caches have fetched at most so long apart. What differs, in a few words for each; none: the answers are the same but for what `docs/` lists. */
export function externalDifferences(
  name: string,
  coreDns: Answer,
  healthdns: Answer,
  elapsedSeconds: number,
): string[] {
  if (isTemplateOfOwnName(name, coreDns) || isAliasOfAnyType(name, coreDns, healthdns)) return [];
  if (name.startsWith('_sql._tcp.') && isAddressOfService(coreDns, healthdns)) return [];
  if (isReverseFallthrough(name, coreDns, healthdns)) return [];
  const found: string[] = [];
  if (coreDns.rcode !== healthdns.rcode) found.push('rcode');
  const isCut = ({ flags }: Answer) => flags.split(' ').includes('tc');
  if (isCut(coreDns) !== isCut(healthdns)) found.push('tc');
  if (coreDns.hasEdns !== healthdns.hasEdns) found.push('edns');
  if (isCut(coreDns) && isCut(healthdns)) return found;
  if (!isSameRecords(coreDns.answers, healthdns.answers, elapsedSeconds)) found.push('answer');
  // With records, what CoreDNS repeats of the upstream's authority says nothing about them.
  if (
    coreDns.answers.length === 0 &&
    !isTemplateSoa(coreDns, healthdns) &&
    !isSameRecords(coreDns.authorities, healthdns.authorities, elapsedSeconds)
  )
    found.push('authority');
  return found;
}

/** `cname-any-type`, of answers that have aged in CoreDNS's cache. */
function isAliasOfAnyType(name: string, coreDns: Answer, { answers }: Answer): boolean {
  const isNodata = coreDns.rcode === 'NOERROR' && coreDns.answers.length === 0;
  return name === 'ext.prod.svc.cluster.local.' && isNodata && answers.length === 1 && answers[0]!.type === 'CNAME';
}

/** `srv-name-has-addresses`, of a name that is rewritten. */
const isAddressOfService = (coreDns: Answer, { rcode, answers }: Answer): boolean =>
  coreDns.answers.every(({ type }) => type === 'A') && rcode === 'NOERROR' && answers.length === 0;

/** `template-of-own-name`: CoreDNS asks templates first. */
function isTemplateOfOwnName(name: string, coreDns: Answer): boolean {
  const isFromTemplate = coreDns.rcode === 'NXDOMAIN' && coreDns.authorities.length === 0;
  return /(^|\.)cluster\.local\.$/.test(name) && isFromTemplate;
}

/** `template-soa`: negative answers have one. */
function isTemplateSoa(coreDns: Answer, { authorities }: Answer): boolean {
  return (
    coreDns.authorities.length === 0 && authorities.length === 1 && authorities[0]!.rdata.includes('nobody.invalid.')
  );
}

/** `reverse-fallthrough`: only one of them asks the upstream server, which denies the name or type once more. */
function isReverseFallthrough(name: string, coreDns: Answer, healthdns: Answer): boolean {
  const isDenial = ({ rcode, answers }: Answer) => answers.length === 0 && /^(NOERROR|NXDOMAIN)$/.test(rcode);
  const hasReverseSoa = ({ authorities }: Answer) => authorities.some((record) => record.name === 'in-addr.arpa.');
  const isDenied = isDenial(coreDns) && isDenial(healthdns);
  return name.endsWith('.in-addr.arpa.') && isDenied && hasReverseSoa(healthdns) !== hasReverseSoa(coreDns);
}

function isSameRecords(
  theirs: readonly AnswerRecord[],
  ours: readonly AnswerRecord[],
  elapsedSeconds: number,
): boolean {
  if (theirs.length !== ours.length) return false;
  const lowest = Math.min(...ours.map(({ ttlSeconds }) => ttlSeconds));
  const isDenial = theirs.every(({ type }) => type === 'CNAME') && theirs.length > 0;
  const isCached = new Set(theirs.map(({ ttlSeconds }) => ttlSeconds)).size === 1;
  /** `short-ttl`, and `cached-ttl`: records of one cached answer have the lowest of their TTLs in CoreDNS, those of a denial its TTL. */
  const isNear = (their: number, our: number) =>
    isDenial ||
    (our < 5 && their <= 5) ||
    Math.abs(their - our) <= elapsedSeconds ||
    (isCached && Math.abs(their - lowest) <= elapsedSeconds);
  const rest = [...ours];
  return theirs.every((record) => {
    const at = rest.findIndex(
      ({ name, type, rdata, ttlSeconds }) =>
        name === record.name &&
        type === record.type &&
        rdata === record.rdata &&
        (isNear(record.ttlSeconds, ttlSeconds) || hasItsOwnTtl(record)),
    );
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  });
}

/** `cached-ttl`: CoreDNS caches what it says itself. */
const hasItsOwnTtl = ({ name }: AnswerRecord): boolean => name === 'dns-version.cluster.local.';
