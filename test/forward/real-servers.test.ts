// Knot as an authoritative upstream, and Unbound in front of it as a recursive one: both must lead to the same answers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RCODE } from '../../src/dns/types.ts';
import { forwarder } from '../support/forwarding.ts';
import { type RealServer, startKnot, startUnbound } from '../support/real-servers.ts';
import { requirement } from '../support/requirement.ts';
import { sortedText } from '../support/zone-text.ts';

const SOA = 'corp.test. 300 IN SOA ns.corp.test. admin.corp.test. 1 7200 3600 1209600 60';
const BIG = Array.from({ length: 100 }, (_, i) => `big.corp.test. 300 IN AAAA 2001:db8::${i + 1}`);
const ZONE = [
  SOA,
  'corp.test. 300 IN NS ns.corp.test.',
  'ns.corp.test. 300 IN A 127.0.0.1',
  'www.corp.test. 300 IN CNAME web.corp.test.',
  'web.corp.test. 300 IN A 192.0.2.1',
  'web.corp.test. 300 IN A 192.0.2.2',
  '*.wild.corp.test. 300 IN TXT "anything"',
  'corp.test. 300 IN MX 10 mail.corp.test.',
  '_sip._udp.corp.test. 300 IN SRV 1 2 5060 web.corp.test.',
  ...BIG,
];

const needed = requirement('knotd', 'unbound');
const started: { knot?: RealServer; unbound?: RealServer } = {};
before(async () => {
  if (needed.skip) return;
  started.knot = await startKnot('corp.test.', `${ZONE.join('\n')}\n`);
  started.unbound = await startUnbound({ 'corp.test.': started.knot.port });
});
after(async () => {
  await started.unbound?.stop();
  await started.knot?.stop();
});

const NEGATIVE = SOA.replace('300 IN', '60 IN');
const questions: [question: string, rcode: number, answers: readonly string[], authorities: readonly string[]][] = [
  ['www.corp.test. A', 0, ['www.corp.test. 300 IN CNAME web.corp.test.', ...ZONE.slice(4, 6)], []],
  ['anything.wild.corp.test. TXT', 0, ['anything.wild.corp.test. 300 IN TXT "anything"'], []],
  ['corp.test. MX', 0, [ZONE[7]], []],
  ['_sip._udp.corp.test. SRV', 0, [ZONE[8]], []],
  ['web.corp.test. AAAA', 0, [], [NEGATIVE]],
  ['wild.corp.test. A', 0, [], [NEGATIVE]],
  ['none.corp.test. A', RCODE.NXDOMAIN, [], [NEGATIVE]],
  ['big.corp.test. AAAA', 0, BIG, []],
];

for (const server of ['knot', 'unbound'] as const) {
  for (const forceTcp of [false, true]) {
    test(
      `${server}, ${forceTcp ? 'TCP' : 'UDP'}: answers, chains, wildcards and negative answers match the zone`,
      needed,
      async () => {
        const { ask, cached } = forwarder([{ port: started[server]?.port ?? 0 }], {
          route: { forceTcp, deadlineMs: 60_000 },
        });
        for (const [question, rcode, answers, authorities] of questions) {
          const first = await ask(question, { maxBytes: 65_535 });
          const second = cached(question, { maxBytes: 65_535 });
          for (const response of [first, second]) {
            assert.ok(response, question);
            assert.equal(response.rcode, rcode, question);
            assert.equal(
              sortedText(response.answers).replace(/ \d+ IN /g, ' IN '),
              [...answers]
                .sort()
                .join('\n')
                .replace(/ \d+ IN /g, ' IN '),
            );
            assert.equal(
              sortedText(response.authorities).replace(/ \d+ IN /g, ' IN '),
              authorities.join('\n').replace(/ \d+ IN /g, ' IN '),
            );
          }
        }
      },
    );
  }
}
