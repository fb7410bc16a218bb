// A zone for tests of the server itself, with every kind of name.
import { parseName } from '../../src/dns/name.ts';
import type { DataPlane } from '../../src/plane/records.ts';
import { parseScenarios } from './scenario.ts';
import { createServed, type Served } from './served.ts';

const EXAMPLE = `
scenario example
zone example.test.
@ 3600 NS ns
ns 3600 A 10.0.0.53
api 5 A 10.0.0.1 ; slot=one
api 5 A 10.0.0.2 ; slot=two
api 5 AAAA fd00::1 ; slot=one
www 5 CNAME api
loop 5 CNAME loop
out 5 CNAME www.example.com.
*.w 5 A 10.0.0.9
txt 5 TXT "some text"
_http._tcp.api 5 SRV 0 10 80 p1.api
_http._tcp.api 5 SRV 0 10 80 p2.api
p1.api 5 A 10.0.0.1 ; slot=one
p2.api 5 A 10.0.0.2 ; slot=two
sub 300 NS ns.sub
ns.sub 300 A 10.0.0.54
pods prod.pod 5
zone late.test. not-ready
zone old.test. stale
`;

export async function serveExample(plane: DataPlane): Promise<Served> {
  const served = createServed(plane);
  for (const step of parseScenarios('example', EXAMPLE)[0].steps) if (step.kind !== 'ask') served.step(step);
  await served.flush();
  return served;
}

/** One more name, with an RRset of these rdata. */
export async function serveRRset(
  plane: DataPlane,
  name: string,
  type: number,
  rdata: readonly Uint8Array[],
): Promise<void> {
  const records = rdata.map((bytes) => ({ rdata: bytes, slot: 0, weight: 1 }));
  const policy = { routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;
  const rrsets = [{ type, ttlSeconds: 5, records, ...policy }];
  await plane.apply([{ kind: 'replace-name', records: { name: parseName(name), rrsets } }]);
}

/** Names in and around the example. */
export const EXAMPLE_NAMES = [
  ...['@', 'ns', 'api', 'www', 'loop', 'out', 'any.w', 'w', 'txt', '_http._tcp.api', 'p1.api', 'x.sub', 'sub'],
  ...['10-1-2-3.prod.pod', 'fd00--1.prod.pod', 'prod.pod', 'nothing', 'a.b.c.d', 'x.api'],
]
  .map((name) => (name === '@' ? 'example.test.' : `${name}.example.test.`))
  .concat([
    'late.test.',
    'x.late.test.',
    'old.test.',
    'x.old.test.',
    '.',
    'test.',
    'www.example.com.',
    'version.bind.',
  ]);
