import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Answer } from '../../src/shadow/answers/answer.ts';
import { emptyWorld } from '../../src/shadow/cluster/world.ts';
import { explain, REASONS_AS_INSTALLED } from '../../src/shadow/reasons/explain.ts';
import type { Case } from '../../src/shadow/reasons/reason.ts';

const documented = readFileSync(new URL('../../../docs/differences-from-coredns.md', import.meta.url), 'utf8');

test('docs/differences-from-coredns.md lists every accepted reason, with an example', () => {
  for (const { id } of REASONS_AS_INSTALLED) assert.match(documented, new RegExp(`^\\| \`${id}\` \\| .`, 'm'), id);
});

const world = emptyWorld('cluster.local.');
const noerror: Answer = {
  rcode: 'NOERROR',
  flags: 'qr aa rd',
  hasEdns: true,
  answers: [],
  authorities: [],
  additionals: [],
  bytes: 60,
};
const nxdomain: Answer = { ...noerror, rcode: 'NXDOMAIN' };
const address = { name: 'web.prod.svc.cluster.local.', type: 'A', ttlSeconds: 5, rdata: '10.1.0.1' };

function found(name: string, type: string, coreDns: Answer, healthdns: Answer): Case {
  return {
    question: { name, type, way: { transport: 'tcp', edns: { udpBytes: 1232, dnssecOk: false } } },
    ...{ name, type, coreDns, healthdns, world, pods: 'verified' },
    names: { standing: (asked) => (asked === '_tcp.web.prod.svc.cluster.local.' ? 'empty' : undefined) },
    ask: () => assert.fail('nothing else is asked'),
  };
}

test('a difference is accepted if the cluster justifies it, and not for names that only look similar', async () => {
  const empty = await explain(found('_tcp.web.prod.svc.cluster.local.', 'A', nxdomain, noerror));
  assert.deepEqual([empty.reasons, empty.coreDns], [['empty-non-terminal'], noerror]);
  const absent = await explain(found('_udp.web.prod.svc.cluster.local.', 'A', nxdomain, noerror));
  assert.deepEqual([absent.reasons, absent.coreDns.rcode], [[], 'NXDOMAIN']);
});

test('an address, TTL or rcode that only one server returns has no reason', async () => {
  const one = { ...noerror, answers: [address] };
  for (const other of [noerror, nxdomain, { ...one, answers: [{ ...address, ttlSeconds: 6 }] }]) {
    for (const [coreDns, healthdns] of [
      [one, other],
      [other, one],
    ] as const) {
      const { reasons } = await explain(found(address.name, 'A', coreDns, healthdns));
      assert.deepEqual(reasons, []);
    }
  }
});

test('differing weights are accepted only if all weights of each answer are equal', async () => {
  const srv = (...weights: number[]): Answer => ({
    ...noerror,
    answers: weights.map((weight, i) => ({ ...address, type: 'SRV', rdata: `0 ${weight} 80 t${i}.` })),
  });
  const reasons = async (theirs: Answer, ours: Answer) =>
    (await explain(found(address.name, 'SRV', theirs, ours))).reasons;
  assert.deepEqual(await reasons(srv(50, 50), srv(33, 33)), ['srv-weight']);
  assert.deepEqual(await reasons(srv(50, 50), srv(33, 34)), []);
});

test('SERVFAIL of CoreDNS for a name that nothing covers is REFUSED here, but not a name of the cluster, and not vice versa', async () => {
  const [servfail, refused] = ['SERVFAIL', 'REFUSED'].map((rcode) => ({ ...noerror, rcode }));
  const reasons = async (name: string, theirs: Answer, ours: Answer) =>
    (await explain(found(name, 'A', theirs, ours), REASONS_AS_INSTALLED)).reasons;
  assert.deepEqual(await reasons('www.example.org.', servfail!, refused!), ['refused']);
  assert.deepEqual(await reasons('www.example.org.', refused!, servfail!), []);
  assert.deepEqual(await reasons('www.example.org.', noerror, refused!), []);
  assert.deepEqual(await reasons(address.name, servfail!, refused!), []);
});
